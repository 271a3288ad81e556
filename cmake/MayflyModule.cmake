# mayfly_module(NAME [DEPENDS target...]): one folder of src/ as a static library mayfly_NAME,
# made of every *.cpp beside it; every x_test.cpp becomes a test program of its own.

find_package(Threads REQUIRED)
find_package(GTest REQUIRED)

add_library(mayfly_options INTERFACE)
target_include_directories(mayfly_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(mayfly_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror>
  -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these wrongly inside coroutines and std::expected at -O2.
  target_compile_options(mayfly_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fcoroutines -Wno-maybe-uninitialized -Wno-mismatched-new-delete
    -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 itself uses what C++23 calls deprecated (std::stable_sort: get_temporary_buffer).
  target_compile_options(mayfly_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-deprecated-declarations>)
endif()
target_compile_definitions(mayfly_options INTERFACE BOOST_ASIO_NO_DEPRECATED)
if(MAYFLY_SANITIZE)
  target_compile_options(mayfly_options INTERFACE -fsanitize=${MAYFLY_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(mayfly_options INTERFACE -fsanitize=${MAYFLY_SANITIZE})
endif()

include(${CMAKE_CURRENT_LIST_DIR}/Precompiled.cmake)

function(mayfly_module name)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(tests)
    list(REMOVE_ITEM sources ${tests})
  endif()
  if(NOT sources)
    message(FATAL_ERROR "module ${name} has no sources")
  endif()
  add_library(mayfly_${name} STATIC ${sources})
  target_link_libraries(mayfly_${name} PUBLIC mayfly_options Threads::Threads ${arg_DEPENDS})
  # Code that is linked into a runtime's addon or preloaded library must be relocatable.
  set_target_properties(mayfly_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  mayfly_precompile(mayfly_${name})
  if(MAYFLY_TESTS)
    foreach(test ${tests})
      get_filename_component(test_name ${test} NAME_WE)
      mayfly_test(${name}_${test_name} ${test} mayfly_${name})
    endforeach()
  endif()
endfunction()

# mayfly_test(NAME SOURCE LIBRARY...): a GoogleTest program, run by ctest.
function(mayfly_test name source)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  target_link_libraries(${name} PRIVATE mayfly_options ${ARGN} GTest::gtest GTest::gmock GTest::gtest_main)
  mayfly_precompile(${name})
  add_test(NAME unit.${name} COMMAND ${name})
  set(timeout 60)
  if(MAYFLY_SANITIZE)
    set(timeout 300)  # what computes much takes many times as long
  endif()
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT ${timeout} LABELS unit)
endfunction()
