#include "common/pg/rows_impl.h"

#include <libpq-fe.h>

#include <charconv>
#include <stdexcept>

namespace calbridge::pg {

namespace {

[[noreturn]] void misuse(std::string const& what) { throw std::logic_error("pg::rows: " + what); }

template <class T>
T number(std::string_view text, char const* type) {
    T value{};
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size()) misuse(std::string("a column is read as ") + type + " and is not one");
    return value;
}

// ISO form with the session's time zone at UTC: 2026-11-20 09:00:00.123456+00.
class iso_reader {
public:
    explicit iso_reader(std::string_view text) : left_(text) {}

    instant read() {
        int const year = digits(4, 6);
        expect('-');
        auto const month = static_cast<unsigned>(digits(2, 2));
        expect('-');
        auto const day = static_cast<unsigned>(digits(2, 2));
        std::chrono::year_month_day const date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
        if (!date.ok()) refuse();
        instant at = std::chrono::sys_days{date};
        if (!left_.empty()) at += time_of_day();
        if (!left_.empty()) {
            if (left_ != "+00") refuse();
        }
        return at;
    }

private:
    [[noreturn]] static void refuse() { misuse("a column is read as a time and is not one"); }

    std::chrono::microseconds time_of_day() {
        expect(' ');
        std::chrono::hours const hour{digits(2, 2)};
        expect(':');
        std::chrono::minutes const minute{digits(2, 2)};
        expect(':');
        std::chrono::seconds const second{digits(2, 2)};
        std::chrono::microseconds fraction{0};
        if (left_.starts_with('.')) {
            left_.remove_prefix(1);
            std::size_t const before = left_.size();
            int value = digits(1, 6);
            for (std::size_t have = before - left_.size(); have < 6; ++have) value *= 10;
            fraction = std::chrono::microseconds{value};
        }
        return hour + minute + second + fraction;
    }

    void expect(char c) {
        if (!left_.starts_with(c)) refuse();
        left_.remove_prefix(1);
    }

    int digits(std::size_t least, std::size_t most) {
        std::size_t n = 0;
        int value = 0;
        while (n < most && n < left_.size() && left_[n] >= '0' && left_[n] <= '9') value = value * 10 + (left_[n++] - '0');
        if (n < least) refuse();
        left_.remove_prefix(n);
        return value;
    }

    std::string_view left_;
};

}  // namespace

rows::impl::~impl() { PQclear(result); }

rows::rows() = default;
rows::rows(std::shared_ptr<impl const> impl) : impl_(std::move(impl)) {}

std::size_t rows::size() const { return impl_ ? static_cast<std::size_t>(PQntuples(impl_->result)) : 0; }

std::uint64_t rows::affected() const {
    if (!impl_) return 0;
    std::string_view const count = PQcmdTuples(impl_->result);
    return count.empty() ? 0 : number<std::uint64_t>(count, "a count");
}

bool rows::is_null(std::size_t row, std::size_t column) const {
    if (row >= size()) misuse("row " + std::to_string(row) + " of " + std::to_string(size()));
    if (column >= static_cast<std::size_t>(PQnfields(impl_->result))) {
        misuse("column " + std::to_string(column) + " of " + std::to_string(PQnfields(impl_->result)));
    }
    return PQgetisnull(impl_->result, static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::string_view rows::text(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) misuse("column " + std::to_string(column) + " is NULL");
    int const r = static_cast<int>(row);
    int const c = static_cast<int>(column);
    return {PQgetvalue(impl_->result, r, c), static_cast<std::size_t>(PQgetlength(impl_->result, r, c))};
}

std::int64_t rows::integer(std::size_t row, std::size_t column) const { return number<std::int64_t>(text(row, column), "an integer"); }

bool rows::boolean(std::size_t row, std::size_t column) const {
    std::string_view const value = text(row, column);
    if (value != "t" && value != "f") misuse("a column is read as a boolean and is not one");
    return value == "t";
}

double rows::real(std::size_t row, std::size_t column) const { return number<double>(text(row, column), "a number"); }

instant rows::time(std::size_t row, std::size_t column) const { return iso_reader(text(row, column)).read(); }

uuid rows::id(std::size_t row, std::size_t column) const {
    auto const value = parse_uuid(text(row, column));
    if (!value) misuse("a column is read as a uuid and is not one");
    return *value;
}

bytes rows::blob(std::size_t row, std::size_t column) const {
    std::string_view const value = text(row, column);
    if (!value.starts_with("\\x")) misuse("a column is read as bytes and is not");
    auto decoded = from_hex(value.substr(2));
    if (!decoded) misuse("a column is read as bytes and is not");
    return std::move(*decoded);
}

std::optional<std::string> rows::text_or_null(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return {};
    return std::string(text(row, column));
}
std::optional<std::int64_t> rows::integer_or_null(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return {};
    return integer(row, column);
}
std::optional<instant> rows::time_or_null(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return {};
    return time(row, column);
}
std::optional<uuid> rows::id_or_null(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return {};
    return id(row, column);
}
std::optional<bytes> rows::blob_or_null(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return {};
    return blob(row, column);
}

}  // namespace calbridge::pg
