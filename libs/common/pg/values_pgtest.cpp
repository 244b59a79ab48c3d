#include "common/pg/pg_fixture.h"

#include <limits>
#include <random>

namespace calbridge::pg {
namespace {

using Values = pg_fixture;

class generator {
public:
    explicit generator(unsigned seed) : engine_(seed) {}
    std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(engine_); }
    std::int64_t integer() {
        switch (below(5)) {
        case 0: return std::numeric_limits<std::int64_t>::min();
        case 1: return std::numeric_limits<std::int64_t>::max();
        case 2: return static_cast<std::int64_t>(below(3)) - 1;
        default: return static_cast<std::int64_t>(engine_());
        }
    }
    double real() {
        switch (below(5)) {
        case 0: return std::numeric_limits<double>::denorm_min();
        case 1: return -std::numeric_limits<double>::max();
        case 2: return 0.1;
        case 3: return std::numeric_limits<double>::infinity();
        default: return std::uniform_real_distribution<double>(-1e12, 1e12)(engine_);
        }
    }
    std::string text() {
        static std::vector<std::string> const pieces{
            "a",  "NULL",         "\"",           "'",  "\\", "{", "}", ",", " ", "\n", "\t", "\x01", "\x7f", "é", "日本",
            "🗓", "\xef\xbf\xbd", "\xed\x9f\xbf", "%s", "$1", "--"};
        std::string made;
        for (auto n = below(8); n > 0; --n) made += pieces[below(pieces.size())];
        return made;
    }
    uuid id() {
        uuid made;
        for (auto& b : made.bytes) b = static_cast<std::uint8_t>(below(256));
        return made;
    }
    bytes blob() {
        bytes made(below(40));
        for (auto& b : made) b = static_cast<std::uint8_t>(below(256));
        return made;
    }
    // From the year 1 to the year 9999, to the microsecond.
    instant time() {
        constexpr std::int64_t first = -62'135'596'800LL;
        constexpr std::int64_t last = 253'402'300'799LL;
        auto const seconds = first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first)));
        auto const fraction = below(3) == 0 ? 0 : static_cast<std::int64_t>(below(1'000'000));
        return instant(std::chrono::seconds(seconds)) + std::chrono::microseconds(fraction);
    }
    bool coin() { return below(2) == 0; }
    template <class Make>
    auto maybe(Make make) -> std::optional<decltype(make())> {
        if (below(4) == 0) return {};
        return make();
    }

private:
    std::mt19937_64 engine_;
};

constexpr statement echo{"echo_scalars", "select $1::text, $2, $3, $4, $5, $6, $7, $8::jsonb, $2::text"};

task<void> scalars(database& db, unsigned seed) {
    generator make(seed);
    tenant_id const tenant("t");
    auto opened = co_await db.begin(tenant);
    if (!worked(opened)) co_return;
    for (int i = 0; i < 300; ++i) {
        auto const text = make.maybe([&] { return make.text(); });
        auto const number = make.maybe([&] { return make.integer(); });
        auto const flag = make.maybe([&] { return make.coin(); });
        auto const real = make.maybe([&] { return make.real(); });
        auto const at = make.maybe([&] { return make.time(); });
        auto const id = make.maybe([&] { return make.id(); });
        auto const blob = make.maybe([&] { return make.blob(); });
        params with;
        with.add(text).add(number).add(flag).add(real).add(at).add(id).add(blob).add("{\"a\": [1, null]}");
        auto const answer = co_await (*opened)->query(echo, std::move(with));
        if (!worked(answer)) co_return;
        rows const& got = *answer;
        EXPECT_EQ(got.text_or_null(0, 0), text) << i;
        EXPECT_EQ(got.integer_or_null(0, 1), number) << i;
        EXPECT_EQ(got.is_null(0, 2), !flag.has_value()) << i;
        if (flag) EXPECT_EQ(got.boolean(0, 2), *flag) << i;
        if (real) EXPECT_EQ(got.real(0, 3), *real) << i;
        EXPECT_EQ(got.time_or_null(0, 4), at) << i;
        EXPECT_EQ(got.id_or_null(0, 5), id) << i;
        EXPECT_EQ(got.blob_or_null(0, 6), blob) << i;
        EXPECT_EQ(got.text(0, 7), "{\"a\": [1, null]}");
    }
}

TEST_F(Values, EveryTypeReturnsAsItWasBound) {
    auto const db = open();

    run(scalars(*db, 1));
}

constexpr statement unnest_all{"echo_arrays",
                               "select t, n, u, v, w, b, y, x from unnest($1, $2, $3, $4, $5, $6, $7, $8) with ordinality as e(t, n, u, v, "
                               "w, b, y, x, place) order by place"};

task<void> arrays(database& db, unsigned seed) {
    generator make(seed);
    tenant_id const tenant("t");
    auto opened = co_await db.begin(tenant);
    if (!worked(opened)) co_return;
    for (std::size_t const size : {0U, 1U, 2U, 37U, 500U}) {
        std::vector<std::optional<std::string>> texts(size);
        std::vector<std::int64_t> numbers(size);
        std::vector<uuid> ids(size);
        std::vector<std::optional<uuid>> some_ids(size);
        std::vector<std::optional<instant>> times(size);
        std::vector<bool> flags(size);
        std::vector<bytes> blobs(size);
        std::vector<std::string> plain(size);
        for (std::size_t i = 0; i < size; ++i) {
            texts[i] = make.maybe([&] { return make.text(); });
            numbers[i] = make.integer();
            ids[i] = make.id();
            some_ids[i] = make.maybe([&] { return make.id(); });
            times[i] = make.maybe([&] { return make.time(); });
            flags[i] = make.coin();
            blobs[i] = make.blob();
            plain[i] = make.text();
        }
        params with;
        with.add_array(texts)
            .add_array(numbers)
            .add_array(ids)
            .add_array(some_ids)
            .add_array(times)
            .add_array(flags)
            .add_array(blobs)
            .add_array(plain);
        auto const answer = co_await (*opened)->query(unnest_all, std::move(with));
        if (!worked(answer)) co_return;
        rows const& got = *answer;
        EXPECT_EQ(got.size(), size);
        for (std::size_t i = 0; i < got.size(); ++i) {
            EXPECT_EQ(got.text_or_null(i, 0), texts[i]);
            EXPECT_EQ(got.integer(i, 1), numbers[i]);
            EXPECT_EQ(got.id(i, 2), ids[i]);
            EXPECT_EQ(got.id_or_null(i, 3), some_ids[i]);
            EXPECT_EQ(got.time_or_null(i, 4), times[i]);
            EXPECT_EQ(got.boolean(i, 5), flags[i]);
            EXPECT_EQ(got.blob(i, 6), blobs[i]);
            EXPECT_EQ(got.text(i, 7), plain[i]);
        }
    }
}

TEST_F(Values, EveryArrayReturnsAsItWasBoundWithItsNulls) {
    auto const db = open();

    run(arrays(*db, 2));
}

constexpr statement casts{"array_casts", "select count(*) from unnest($1::jsonb[], $2::uuid[], $3::int[]) as e(j, u, n)"};

task<void> cast_arrays(database& db) {
    std::vector<std::string> const documents{"{}", "[1]"};
    std::vector<std::string> const ids{"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"};
    std::vector<std::int64_t> const numbers{1, 2};
    params with;
    with.add_array(documents).add_array(ids).add_array(numbers);
    auto const answer = co_await run_once_untenanted(db, casts, std::move(with));
    if (worked(answer)) EXPECT_EQ(answer->integer(0, 0), 2);
}

TEST_F(Values, ArraysMayBeCastToOtherElementTypes) {
    auto const db = open();

    run(cast_arrays(*db));
}

constexpr statement into_columns{"into_columns",
                                 "insert into kinds (small, plain, big, doc, mood, day) values ($1, $2, $3, $4, $5, $6) "
                                 "returning small, plain, big, doc->>'k', mood, now(), sum_of(big), day"};

task<void> columns(database& db) {
    params with;
    with.add(7).add(8).add(9).add("{\"k\": \"v\"}").add("glad").add("2026-03-29");
    auto const answer = co_await run_once_untenanted(db, into_columns, std::move(with));
    if (!worked(answer)) co_return;
    EXPECT_EQ(answer->integer(0, 0), 7);
    EXPECT_EQ(answer->integer(0, 1), 8);
    EXPECT_EQ(answer->integer(0, 2), 9);
    EXPECT_EQ(answer->text(0, 3), "v");
    EXPECT_EQ(answer->text(0, 4), "glad");
    EXPECT_GT(answer->time(0, 5), instant(std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}));
    EXPECT_EQ(answer->integer(0, 6), 18);  // numeric
    EXPECT_EQ(answer->time(0, 7), instant(std::chrono::sys_days{std::chrono::year{2026} / 3 / 29}));
    EXPECT_EQ(answer->affected(), 1U);
    EXPECT_THROW((void)answer->integer(0, 3), std::logic_error);
    EXPECT_THROW((void)answer->integer(0, 8), std::logic_error);
    EXPECT_THROW((void)answer->integer(1, 0), std::logic_error);
}

TEST_F(Values, ValuesConvertToTheColumnsTheyMeet) {
    scratch_.exec(
        "create type mood as enum ('glad', 'sad');"
        "create table kinds (small smallint, plain int, big bigint, doc jsonb, mood mood, day date);"
        "create function sum_of(n bigint) returns numeric language sql return n + n");
    auto const db = open();

    run(columns(*db));
}

constexpr statement note{"note", "insert into notes (body) values ($1)"};

task<void> refuse(database& db, std::string text) {
    tenant_id const tenant("t");
    auto opened = co_await db.begin(tenant);
    if (!worked(opened)) co_return;
    params good;
    good.add("good");
    auto const first = co_await (*opened)->query(note, std::move(good));
    worked(first);
    params bad;
    bad.add(text);
    auto const second = co_await (*opened)->query(note, std::move(bad));
    failed_with(second, errc::malformed);
    // The caller who goes on after an error must not commit half of its work.
    auto const committed = co_await (*opened)->commit();
    failed_with(committed, errc::malformed);
}

TEST_F(Values, TextThatCannotBeStoredIsRefusedWhole) {
    scratch_.exec("create table notes (body text)");
    auto const db = open();

    run(refuse(*db, std::string("abc\0def", 7)));
    run(refuse(*db, "abc\xff"));
    run(refuse(*db, "lone surrogate \xed\xa0\x80"));

    EXPECT_EQ(scratch_.exec("select count(*) from notes"), "0");
}

}  // namespace
}  // namespace calbridge::pg
