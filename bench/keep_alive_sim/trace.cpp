#include "trace.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace mayfly::bench {
namespace {

using Row = std::vector<std::string>;

struct Table {
  std::map<std::string, std::size_t> columns;
  std::vector<Row> rows;
  [[nodiscard]] const std::string& cell(const Row& row, const std::string& column) const {
    return row.at(columns.at(column));
  }
};

Row split(const std::string& line) {
  Row cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) {
    if (!cell.empty() && cell.back() == '\r') cell.pop_back();
    cells.push_back(std::move(cell));
  }
  return cells;
}

Table read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  if (!stream || !std::getline(stream, line)) throw std::runtime_error("cannot read " + file.string());
  Table table;
  const Row head = split(line);
  for (std::size_t i = 0; i < head.size(); ++i) table.columns[head[i]] = i;
  while (std::getline(stream, line))
    if (!line.empty()) table.rows.push_back(split(line));
  return table;
}

std::map<std::string, DurationCurve> read_durations(const std::filesystem::path& file) {
  const Table table = read(file);
  std::map<std::string, DurationCurve> curves;
  for (const Row& row : table.rows) {
    std::array<double, 7> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto percentile = std::to_string(static_cast<int>(DurationCurve::percentiles[i]));
      values[i] = std::stod(table.cell(row, "percentile_Average_" + percentile));
    }
    curves.emplace(table.cell(row, "HashFunction"), DurationCurve(values));
  }
  return curves;
}

std::map<std::string, std::uint64_t> read_memory(const std::filesystem::path& file) {
  const Table table = read(file);
  std::map<std::string, std::uint64_t> bytes;
  for (const Row& row : table.rows)
    bytes[table.cell(row, "HashApp")] =
        static_cast<std::uint64_t>(std::stod(table.cell(row, "AverageAllocatedMb")) * (1 << 20));
  return bytes;
}

}  // namespace

double DurationCurve::at(double u) const {
  const double percent = u * 100;
  std::size_t i = 1;
  while (i + 1 < percentiles.size() && percent > percentiles[i]) ++i;
  const double part = (percent - percentiles[i - 1]) / (percentiles[i] - percentiles[i - 1]);
  return values_[i - 1] + (values_[i] - values_[i - 1]) * part;
}

std::vector<TracedFunction> load_trace(const std::filesystem::path& folder) {
  const auto durations = read_durations(folder / "durations.csv");
  const auto memory = read_memory(folder / "memory.csv");
  const Table table = read(folder / "invocations.csv");
  constexpr std::size_t first_minute = 3;
  std::vector<TracedFunction> functions;
  for (const Row& row : table.rows) {
    const std::string& hash = table.cell(row, "HashFunction");
    TracedFunction f{hash, {}, durations.at(hash), memory.at(table.cell(row, "HashApp"))};
    for (std::size_t i = first_minute; i < row.size(); ++i)
      f.per_minute.push_back(static_cast<std::uint32_t>(std::stoul(row[i])));
    functions.push_back(std::move(f));
  }
  return functions;
}

std::vector<Arrival> spread(const std::vector<TracedFunction>& functions, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  // Not std::uniform_real_distribution, whose sequence is each standard library's own affair.
  const auto uniform = [&random] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  std::vector<Arrival> arrivals;
  for (std::uint32_t f = 0; f < functions.size(); ++f)
    for (std::size_t minute = 0; minute < functions[f].per_minute.size(); ++minute)
      for (std::uint32_t i = 0; i < functions[f].per_minute[minute]; ++i) {
        const double at = 60.0 * (static_cast<double>(minute) + uniform());
        arrivals.push_back({at, functions[f].durations.at(uniform()) / 1000, f});
      }
  std::ranges::sort(arrivals, {}, &Arrival::at);
  return arrivals;
}

}  // namespace mayfly::bench
