#include "commands.h"

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    try {
        std::vector<std::string> const arguments(argv + 1, argv + argc);
        auto const env = calbridge::config::process_environment();
        calbridge::ctl::surroundings const with{env, std::cout, std::cerr};
        return calbridge::ctl::run_command(arguments, with);
    } catch (std::exception const& e) {
        std::cerr << "calbridgectl: " << e.what() << '\n';
        return calbridge::ctl::failed;
    }
}
