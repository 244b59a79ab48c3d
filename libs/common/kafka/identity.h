#pragma once
// Who a client is and where its brokers are, from the settings every service has.

#include "common/kafka/kafka.h"

#include <string>
#include <vector>

namespace calbridge::kafka {

// Fills the three common options. `properties` are name=value; the settings have refused any other (common/runtime/peers.h).
void identify(client_options& as, std::string brokers, std::string client_id, std::vector<std::string> const& properties);

}  // namespace calbridge::kafka
