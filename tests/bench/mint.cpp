#include "tests/bench/tool.h"

#include "domain/channel_token.h"

#include "common/base/clock.h"
#include "common/base/encoding.h"
#include "common/crypto/crypto.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <stdexcept>

namespace calbridge::bench {

namespace {

constexpr std::string_view number_field = "X-Goog-Message-Number: ";

crypto::key_ring ring_of(secret const& channel_keys) {
    return crypto::key_ring::parse(channel_keys).value().for_purpose(domain::channel_token_purpose);
}

minted_channel mint_under(crypto::key_ring const& ring, std::size_t index) {
    connection_id const connection{random_uuid()};
    calendar_id const calendar{random_uuid()};
    channel_id const channel{random_uuid()};
    auto const token = domain::make_channel_token(ring, channel, connection, calendar, system_clock{}.now());
    minted_channel out;
    out.connection = connection.str();
    out.calendar = calendar.str();
    out.channel = channel.str();
    out.token_hash_hex = hex(crypto::sha256(token.reveal()));
    auto const opaque = random_uuid();
    out.resource = base64url(opaque.bytes);
    out.request = fmt::format(
        "POST /webhooks/google HTTP/1.1\r\n"
        "Host: hooks.calbridge.test\r\n"
        "Accept: */*\r\n"
        "Accept-Encoding: gzip, deflate, br\r\n"
        "User-Agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)\r\n"
        "Content-Type: application/json; utf-8\r\n"
        "Content-Length: 0\r\n"
        "Connection: keep-alive\r\n"
        "X-Goog-Channel-ID: {}\r\n"
        "X-Goog-Channel-Expiration: Tue, 29 Dec 2099 01:13:52 GMT\r\n"
        "X-Goog-Resource-ID: {}\r\n"
        "X-Goog-Resource-URI: https://www.googleapis.com/calendar/v3/calendars/user{:08}%40example.com/events?alt=json\r\n"
        "X-Goog-Resource-State: exists\r\n"
        "{}{}\r\n"
        "X-Goog-Channel-Token: {}\r\n\r\n",
        out.channel, out.resource, index, number_field, number_first, token.reveal());
    return out;
}

std::ofstream opened(std::string const& file) {
    std::ofstream out(file, std::ios::binary);
    if (!out) throw std::runtime_error("cannot write " + file);
    return out;
}

}  // namespace

minted_channel mint_channel(secret const& channel_keys, std::size_t index) { return mint_under(ring_of(channel_keys), index); }

void mint(secret const& channel_keys, std::size_t count, std::string const& folder) {
    auto const ring = ring_of(channel_keys);
    auto connections = opened(folder + "/connections.copy");
    auto calendars = opened(folder + "/calendars.copy");
    auto channels = opened(folder + "/channels.copy");
    auto requests = opened(folder + "/requests");
    for (std::size_t i = 0; i < count; ++i) {
        auto const one = mint_under(ring, i);
        fmt::format_to(std::ostreambuf_iterator(connections), "bench\t{}\tuser{}\tclient\tsub{}\tuser{}@example.com\n", one.connection, i,
                       i, i);
        fmt::format_to(std::ostreambuf_iterator(calendars), "bench\t{}\t{}\tuser{}@example.com\n", one.calendar, one.connection, i);
        fmt::format_to(std::ostreambuf_iterator(channels), "bench\t{}\t{}\t{}\t{}\t\\\\x{}\tactive\n", one.channel, one.connection,
                       one.calendar, one.resource, one.token_hash_hex);
        requests << one.request.size() << '\n' << one.request;
    }
    for (auto* file : {&connections, &calendars, &channels, &requests}) {
        file->close();
        if (!*file) throw std::runtime_error("cannot write to " + folder);
    }
}

std::vector<std::string_view> split_requests(std::string_view file) {
    std::vector<std::string_view> out;
    while (!file.empty()) {
        auto const line = file.find('\n');
        std::size_t size = 0;
        auto const [end, error] = std::from_chars(file.data(), file.data() + std::min(line, file.size()), size);
        if (line == std::string_view::npos || error != std::errc{} || end != file.data() + line || line + 1 + size > file.size())
            throw std::runtime_error("not a file of requests");
        out.push_back(file.substr(line + 1, size));
        file.remove_prefix(line + 1 + size);
    }
    return out;
}

std::size_t number_at(std::string_view request) {
    auto const at = request.find(number_field);
    return at == std::string_view::npos ? at : at + number_field.size();
}

}  // namespace calbridge::bench
