# With MAYFLY_PRECOMPILE the headers of libraries that most sources include are parsed once for all modules.
# Only the sanitizers' builds are like that, and a third of the work: the build that users run has it not,
# and notices a missing #include.

# mayfly_precompile(TARGET): the target, which links mayfly_options, uses them.
function(mayfly_precompile target)
  if(MAYFLY_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM mayfly_precompiled)
  endif()
endfunction()

if(MAYFLY_PRECOMPILE)
  find_package(Boost 1.81 REQUIRED)
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(spdlog REQUIRED)
  # Libraries and programs can share them only if both are compiled as position-independent code.
  target_compile_options(mayfly_options INTERFACE -fPIC)
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cpp "")  # a target needs a source
  add_library(mayfly_precompiled OBJECT ${CMAKE_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(mayfly_precompiled PRIVATE mayfly_options Threads::Threads Boost::headers fmt::fmt
    GTest::gmock nlohmann_json::nlohmann_json spdlog::spdlog)
  target_precompile_headers(mayfly_precompiled PRIVATE
    <algorithm> <array> <atomic> <charconv> <chrono> <csignal> <deque> <expected> <filesystem> <fstream>
    <functional> <map> <memory> <mutex> <optional> <random> <ranges> <set> <sstream> <string> <string_view>
    <thread> <unordered_map> <variant> <vector>
    <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp>
    <boost/asio/ip/tcp.hpp> <boost/asio/post.hpp> <boost/asio/posix/stream_descriptor.hpp>
    <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp>
    <fmt/format.h> <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp>)
endif()
