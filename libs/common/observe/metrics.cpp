#include "common/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace calbridge::metrics {

namespace {

// A label whose values are not bounded would grow memory for ever; past this many series a family folds into "other".
constexpr std::size_t series_max = 500;

// Buckets around the service's goals, 1 ms to 30 s.
std::vector<double> const default_buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

class registered_counter final : public counter {
public:
    explicit registered_counter(prometheus::Counter& under) : under_(under) {}
    void add(double by) override { under_.Increment(by); }
    double value() const override { return under_.Value(); }

private:
    prometheus::Counter& under_;
};

class registered_gauge final : public gauge {
public:
    explicit registered_gauge(prometheus::Gauge& under) : under_(under) {}
    void set(double to) override { under_.Set(to); }
    void add(double by) override { under_.Increment(by); }

private:
    prometheus::Gauge& under_;
};

class registered_histogram final : public histogram {
public:
    explicit registered_histogram(prometheus::Histogram& under) : under_(under) {}
    void observe(double value) override { under_.Observe(value); }

private:
    prometheus::Histogram& under_;
};

struct state {
    std::mutex guard;
    prometheus::Registry registry;
    std::map<std::string, std::size_t> series;  // by metric name
    std::map<std::pair<std::string, labels>, std::unique_ptr<counter>> counters;
    std::map<std::pair<std::string, labels>, std::unique_ptr<gauge>> gauges;
    std::map<std::pair<std::string, labels>, std::unique_ptr<histogram>> histograms;
};

// Never destroyed: references handed out stay valid to the very end.
state& global() {
    static state* const it = new state;
    return *it;
}

void check_name(std::string_view name, bool is_counter) {
    bool const plain = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
    if (!plain || !name.starts_with("calbridge_") || is_counter != name.ends_with("_total")) {
        throw std::logic_error("not a metric name of ours (calbridge_subsystem_thing_unit, counters and only they end in _total): " +
                               std::string(name));
    }
}

// Finds or makes the series; beyond the bound every label value becomes "other".
template <class Held, class Make>
auto& series_of(state& s, Held& held, std::string const& name, labels with, Make make) {
    auto found = held.find({name, with});
    if (found == held.end() && s.series[name] >= series_max) {
        for (auto& [label, value] : with) value = "other";
        found = held.find({name, with});
    }
    if (found == held.end()) {
        found = held.emplace(std::pair(name, with), make(with)).first;
        ++s.series[name];
    }
    return *found->second;
}

}  // namespace

counter& get_counter(std::string const& name, std::string const& help, labels const& with) {
    check_name(name, true);
    state& s = global();
    std::scoped_lock const lock(s.guard);
    return series_of(s, s.counters, name, with, [&](labels const& bounded) {
        auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(s.registry);
        return std::make_unique<registered_counter>(family.Add(bounded));
    });
}

gauge& get_gauge(std::string const& name, std::string const& help, labels const& with) {
    check_name(name, false);
    state& s = global();
    std::scoped_lock const lock(s.guard);
    return series_of(s, s.gauges, name, with, [&](labels const& bounded) {
        auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(s.registry);
        return std::make_unique<registered_gauge>(family.Add(bounded));
    });
}

histogram& get_histogram(std::string const& name, std::string const& help, labels const& with, std::vector<double> buckets) {
    check_name(name, false);
    state& s = global();
    std::scoped_lock const lock(s.guard);
    if (buckets.empty()) buckets = default_buckets;
    return series_of(s, s.histograms, name, with, [&](labels const& bounded) {
        auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(s.registry);
        return std::make_unique<registered_histogram>(family.Add(bounded, buckets));
    });
}

std::string render() { return prometheus::TextSerializer().Serialize(global().registry.Collect()); }

std::vector<std::string> names() {
    state& s = global();
    std::scoped_lock const lock(s.guard);
    std::vector<std::string> all;
    for (auto const& [name, count] : s.series) {
        if (count > 0) all.push_back(name);
    }
    return all;
}

}  // namespace calbridge::metrics
