#include "tests/bench/tool.h"

#include "wire/topics.h"

#include <algorithm>
#include <istream>

namespace calbridge::bench {

count_result count_records(std::istream& in) {
    count_result out;
    std::vector<std::pair<uuid, std::int64_t>> seen;
    std::string line, value;
    while (std::getline(in, line)) {
        value.resize(std::stoul(line));
        if (!in.read(value.data(), static_cast<std::streamsize>(value.size()))) {
            ++out.unreadable;
            break;
        }
        ++out.records;
        auto const message = wire::decode_calendar_changed(value, wire::encoding::protobuf);
        if (message && message->channel) seen.emplace_back(message->channel->value, message->message_number);
        else ++out.unreadable;
    }
    std::ranges::sort(seen);
    auto const repeats = std::ranges::unique(seen);
    out.distinct = seen.size() - repeats.size();
    return out;
}

}  // namespace calbridge::bench
