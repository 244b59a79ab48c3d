#include "common/kafka/identity.h"

namespace calbridge::kafka {

void identify(client_options& as, std::string brokers, std::string client_id, std::vector<std::string> const& properties) {
    as.brokers = std::move(brokers);
    as.client_id = std::move(client_id);
    for (std::string const& each : properties) {
        auto const equals = each.find('=');
        if (equals != std::string::npos) as.extra.emplace_back(each.substr(0, equals), each.substr(equals + 1));
    }
}

}  // namespace calbridge::kafka
