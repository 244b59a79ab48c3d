#pragma once
// Definition of authorised(); include in .cpp files only.

#include "parts.h"

namespace calbridge::worker {

inline google::call_error no_token(error const& e) {
    google::call_error out;
    out.code = e.code == errc::not_found ? errc::grant_revoked : e.code;
    out.reason = "no_access_token";
    out.context = "not sent: " + e.context;
    return out;
}

template <class T>
task<google::answer<T>> authorised(parts const& with, tenant_id tenant, connection_id connection,
                                   std::function<task<google::answer<T>>(secret const&)> call) {
    secret const none;
    auto token = co_await with.tokens.access_token(tenant, connection, none);
    if (!token) co_return no_token(token.error());
    google::answer<T> first = co_await call(*token);
    if (first || first.error().code != errc::unauthorized) co_return first;
    secret const refused = *token;
    auto fresh = co_await with.tokens.access_token(tenant, connection, refused);
    if (!fresh) co_return no_token(fresh.error());
    google::answer<T> second = co_await call(*fresh);
    co_return second;
}

}  // namespace calbridge::worker
