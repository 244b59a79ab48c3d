#include "common/http/socket_watch.h"

namespace calbridge::http {
namespace {

constexpr std::chrono::seconds last_words_time_max{2};

}  // namespace

socket_watch::socket_watch(list& in, asio::ip::tcp::socket& socket) : list_(in), socket_(socket), next_(in.first_) {
    if (next_) next_->previous_ = this;
    in.first_ = this;
    ++in.size_;
}

socket_watch::~socket_watch() {
    if (next_) next_->previous_ = previous_;
    (previous_ ? previous_->next_ : list_.first_) = next_;
    --list_.size_;
}

void socket_watch::list::sweep(deadline now) {
    for_each([now](socket_watch& one) {
        if (one.at_ > now) return;
        boost::system::error_code ignored;
        if (one.timed_out_) {
            one.at_ = deadline::max();
            one.socket_.close(ignored);
        } else {
            one.timed_out_ = true;
            one.at_ = now + last_words_time_max;
            one.socket_.cancel(ignored);
        }
    });
}

task<void> socket_watch::list::run(std::chrono::milliseconds every) {
    for (;;) {
        co_await sleep_for(every);
        sweep(std::chrono::steady_clock::now());
    }
}

}  // namespace calbridge::http
