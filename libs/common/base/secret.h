#pragma once
// Secrets have a type that cannot be printed, compared by accident, or left behind in freed memory.

#include <string>
#include <string_view>

namespace calbridge {

// Overwrites `size` bytes in a way the optimiser may not remove.
void wipe(void* data, std::size_t size) noexcept;

class secret {
public:
    secret() = default;
    explicit secret(std::string value) : value_(std::move(value)) {}
    secret(secret const&) = default;
    secret(secret&& other) noexcept : value_(std::move(other.value_)) { other.clear(); }
    secret& operator=(secret const& other) {
        if (this != &other) {
            clear();
            value_ = other.value_;
        }
        return *this;
    }
    secret& operator=(secret&& other) noexcept {
        if (this != &other) {
            clear();
            value_ = std::move(other.value_);
            other.clear();
        }
        return *this;
    }
    ~secret() { clear(); }

    bool empty() const { return value_.empty(); }
    // The only way to the bytes; the name makes each use easy to find and review.
    std::string_view reveal() const { return value_; }
    // Constant time in the length of the longer value.
    bool equals(std::string_view other) const;

    template <class Stream>
    friend Stream& operator<<(Stream&, secret const&) = delete;

private:
    // Whole capacity: a moved-from short string keeps its bytes beyond its size.
    void clear() noexcept {
        value_.resize(value_.capacity());
        wipe(value_.data(), value_.size());
        value_.clear();
    }
    std::string value_;
};

}  // namespace calbridge
