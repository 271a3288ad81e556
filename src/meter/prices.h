// What things cost: a price sheet, and what some usage costs by it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "meter/usage.h"

namespace mayfly::meter {

/// In units of its currency; none is negative. The default: list prices of a large cloud in late 2024, of its
/// functions (requests and reserved memory) and of its containers (CPU and memory).
struct Prices {
  std::string currency = "USD";
  double request = 0.0000002;              ///< of an interactive invocation
  double gib_s = 0.0000166667;             ///< of the memory that it may use, a GiB for a second of its time
  double cpu_s = 0;                        ///< of a second of one processor that it used
  double background_cpu_s = 0.0000112444;  ///< the same in the background
  double background_gib_s = 0.0000012347;  ///< of the memory that background work had, a GiB for a second
  double kept_gib_s =
      0.0000012347;  ///< of memory that is held whether used or not: datasets, for advice a service's
  bool operator==(const Prices&) const = default;
};

struct PriceField {
  std::string_view name;  ///< in the file and in JSON
  double Prices::* member;
};
inline constexpr std::array<PriceField, 6> kPriceFields{{
    {"request", &Prices::request},
    {"gib_s", &Prices::gib_s},
    {"cpu_s", &Prices::cpu_s},
    {"background_cpu_s", &Prices::background_cpu_s},
    {"background_gib_s", &Prices::background_gib_s},
    {"kept_gib_s", &Prices::kept_gib_s},
}};

/// What usage of a class costs, part by part.
struct Cost {
  double requests = 0;
  double memory = 0;
  double cpu = 0;
  [[nodiscard]] double total() const { return requests + memory + cpu; }
  void add(const Cost& other) {
    requests += other.requests;
    memory += other.memory;
    cpu += other.cpu;
  }
};

/// Interactive invocations cost per request (what was rejected costs nothing), for the memory that was
/// reserved while they ran, and for CPU if that has a price; background work for the CPU and memory that it
/// used, whatever for.
[[nodiscard]] Cost cost_of(const Usage& usage, InvocationClass which, const Prices& prices);

}  // namespace mayfly::meter
