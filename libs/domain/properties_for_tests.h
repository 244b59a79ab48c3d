#pragma once
// Properties checked over very many cases. rapidcheck draws the seeds; RC_PARAMS="seed=…" or RC_PARAMS="max_success=…" looks elsewhere or
// longer than the fixed run every build makes. A case states what must hold with RC_ASSERT.

#include "domain/world_for_tests.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

namespace calbridge::domain::testing_world {

namespace detail {

// Sanitizers look at less and more closely.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr int fewer = 10;
#else
inline constexpr int fewer = 1;
#endif
#else
inline constexpr int fewer = 1;
#endif

template <class Property>
void check_property(int runs, int cases_of_a_run, bool shrinking, Property const& property) {
    auto const* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string const name = std::string(info->test_suite_name()) + "." + info->name();
    setenv("RC_PARAMS", "seed=1", 0);
    auto params = rc::detail::configuration().testParams;
    if (params.maxSuccess == rc::detail::TestParams{}.maxSuccess) params.maxSuccess = runs / fewer;
    params.disableShrinking = params.disableShrinking || !shrinking;
    rc::detail::TestMetadata const metadata{.id = name, .description = name};

    auto const result = rc::detail::checkTestable(property, metadata, params);

    if (!result.template is<rc::detail::SuccessResult>()) {
        std::ostringstream said;
        rc::detail::printResultMessage(result, said);
        FAIL() << said.str();
    }
    auto const done = static_cast<long>(result.template get<rc::detail::SuccessResult>().numSuccess) * cases_of_a_run;
    ::testing::Test::RecordProperty("cases", std::to_string(done));
    std::cout << "[ CASES    ] " << name << " " << done << "\n";
}

}  // namespace detail

// `property(dice&)` for `cases` cases, many to a run of rapidcheck's: what a failure names is the seed of its very case.
template <class Property>
void check_cases(int cases, Property property) {
    constexpr int batch = 100;
    detail::check_property(cases / batch, batch, false, [&] {
        auto const seed = *rc::gen::noShrink(rc::gen::resize(1000, rc::gen::arbitrary<std::uint64_t>()));
        for (unsigned i = 0; i < batch; ++i) {
            dice random(static_cast<unsigned>(seed) + i);
            try {
                property(random);
            } catch (...) {
                RC_LOG() << "the case of dice(" << static_cast<unsigned>(seed) + i << ")" << std::endl;
                throw;
            }
        }
    });
}

// `property()` draws its case from rapidcheck's generators, which shrink what fails.
template <class Property>
void check_drawn_cases(int cases, Property property) {
    detail::check_property(cases, 1, true, property);
}

}  // namespace calbridge::domain::testing_world
