# Compiler choice and flags shared by every target.

# GCC 12 and 13 destroy a temporary aggregate in a co_await expression twice (a double free at run time, no warning).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "calbridge cannot be built with GCC ${CMAKE_CXX_COMPILER_VERSION}: GCC before 14 miscompiles coroutines "
    "(temporaries in a co_await expression are destroyed twice). Use clang 19 (cmake --preset dev) or GCC 14 or newer.")
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "calbridge needs clang 19 or newer, found ${CMAKE_CXX_COMPILER_VERSION}. Use: cmake --preset dev")
endif()

set(CALBRIDGE_SANITIZER "" CACHE STRING "address (with undefined), thread, or empty")
option(CALBRIDGE_WERROR "Treat warnings as errors" ON)
option(CALBRIDGE_FAILPOINTS "Compile failpoints in (test builds)" ON)

add_library(calbridge_options INTERFACE)
target_compile_options(calbridge_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Woverloaded-virtual
  -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(calbridge_options INTERFACE -Wno-c99-designator -Wno-missing-designated-field-initializers
    -Wno-missing-field-initializers "SHELL:-Xclang -fno-pch-timestamp")
endif()
if(CALBRIDGE_WERROR)
  target_compile_options(calbridge_options INTERFACE -Werror)
endif()
target_compile_definitions(calbridge_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS> $<$<BOOL:${CALBRIDGE_FAILPOINTS}>:CALBRIDGE_FAILPOINTS>
  CALBRIDGE_VERSION="${PROJECT_VERSION}")
target_include_directories(calbridge_options INTERFACE "${PROJECT_SOURCE_DIR}/libs")

if(CALBRIDGE_SANITIZER STREQUAL "address")
  # Recycled coroutine frames and handler blocks would hide use-after-free from the sanitizer.
  target_compile_options(calbridge_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(calbridge_options INTERFACE -fsanitize=address,undefined)
  target_compile_definitions(calbridge_options INTERFACE BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
    BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
elseif(CALBRIDGE_SANITIZER STREQUAL "thread")
  target_compile_options(calbridge_options INTERFACE -fsanitize=thread)
  target_link_options(calbridge_options INTERFACE -fsanitize=thread)
  target_compile_definitions(calbridge_options INTERFACE BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
    BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
endif()

find_program(CALBRIDGE_CCACHE ccache)
if(CALBRIDGE_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${CALBRIDGE_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CALBRIDGE_CCACHE}")
endif()
find_program(CALBRIDGE_LLD ld.lld-19)
if(CALBRIDGE_LLD AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_link_options(calbridge_options INTERFACE "--ld-path=${CALBRIDGE_LLD}")
endif()
