#include "app.h"

int main(int argc, char** argv) {
    calbridge::renewer::settings settings;
    calbridge::config::table table = settings.declare();
    return calbridge::runtime::service_main(argc, argv, table, settings.common,
                                            [&](calbridge::asio::any_io_executor executor, calbridge::runtime::health& health) {
                                                return calbridge::renewer::make_app(executor, health, settings);
                                            });
}
