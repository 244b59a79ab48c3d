#pragma once
// What a `rows` holds. Inside this folder only.

#include "common/pg/database.h"

struct pg_result;  // libpq's PGresult

namespace calbridge::pg {

struct rows::impl {
    explicit impl(pg_result* owned) : result(owned) {}
    ~impl();
    impl(impl const&) = delete;
    impl& operator=(impl const&) = delete;
    pg_result* result;
};

}  // namespace calbridge::pg
