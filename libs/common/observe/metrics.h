#pragma once
// Prometheus metrics over prometheus-cpp's core. Names: calbridge_<subsystem>_<thing>_<unit>[_total]; label values are bounded.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace calbridge::metrics {

using labels = std::map<std::string, std::string>;

class counter {
public:
    virtual ~counter() = default;
    virtual void add(double by = 1) = 0;
    virtual double value() const = 0;
};
class gauge {
public:
    virtual ~gauge() = default;
    virtual void set(double to) = 0;
    virtual void add(double by) = 0;
};
class histogram {
public:
    virtual ~histogram() = default;
    virtual void observe(double value) = 0;
};

// References stay valid for the process's life; look them up once, at construction, not per event.
counter& get_counter(std::string const& name, std::string const& help, labels const& with = {});
gauge& get_gauge(std::string const& name, std::string const& help, labels const& with = {});
histogram& get_histogram(std::string const& name, std::string const& help, labels const& with = {}, std::vector<double> buckets = {});

// Text exposition format 0.0.4.
std::string render();
// Sorted names of everything registered so far (golden test).
std::vector<std::string> names();

}  // namespace calbridge::metrics
