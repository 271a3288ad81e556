#include "cli/traffic_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mayfly::cli {

void print_traffic(Context& context, const nlohmann::json& traffic) {
  if (context.json) {
    context.out.line(traffic.dump(2));
    return;
  }
  double total = 0;
  for (const auto& [version, weight] : traffic.at("weights").items()) total += weight.get<double>();
  Table table({"VERSION", "WEIGHT", "SHARE"});
  for (const auto& [version, weight] : traffic.at("weights").items())
    table.row({traffic.value("name", "") + "@" + version, weight.dump(),
               fmt::format("{:.3g} %", 100 * weight.get<double>() / total)});
  context.out.write(table.text(context.out));
  if (const auto sticky = traffic.value("sticky", ""); !sticky.empty())
    context.out.line("sticky by " + sticky);
}

}  // namespace mayfly::cli
