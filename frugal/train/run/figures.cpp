#include "frugal/train/run/figures.h"

#include <openssl/evp.h>

#include <cmath>
#include <utility>

#include "frugal/base/error.h"

namespace frugal {
namespace {

Json numbers(const std::vector<double>& values) {  // JSON knows no infinity: null
  Json list = Json::array();
  for (const double value : values) list.push_back(std::isfinite(value) ? Json(value) : Json());
  return list;
}

Json event_of(const char* kind, const std::string& name, const std::string& title, const std::string& note) {
  Json event = {{"event", kind}, {"name", name}, {"title", title}};
  if (!note.empty()) event["note"] = note;
  return event;
}

[[noreturn]] void bad(const std::string& name, const std::string& why) {
  throw Error(Exit::internal, "the figure '" + name + "' " + why, "report this with the command you ran");
}

}  // namespace

void Figures::add(const Figure& figure) {
  Json event = event_of("figure", figure.name, figure.title, figure.note);
  event["kind"] = figure.kind == Figure::Kind::lines ? "lines" : "scatter";
  event["x"] = figure.x_name;
  event["y"] = figure.y_name;
  if (figure.is_log_x) event["log_x"] = true;
  if (figure.is_log_y) event["log_y"] = true;
  if (figure.is_equal_scale) event["equal_scale"] = true;
  event["series"] = Json::array();
  for (const Series& series : figure.series) {
    const std::size_t n = series.x.size();
    const bool has_band = !series.low.empty();
    if (series.y.size() != n || (has_band && (series.low.size() != n || series.high.size() != n))) {
      bad(figure.name,
          "has " + std::to_string(n) + " x and " + std::to_string(series.y.size()) + " y in '" + series.name + "'");
    }
    Json one = {{"name", series.name}, {"x", numbers(series.x)}, {"y", numbers(series.y)}};
    if (has_band) one["low"] = numbers(series.low), one["high"] = numbers(series.high);
    event["series"].push_back(std::move(one));
  }
  events_.push_back(std::move(event));
}

void Figures::add(const HeatMap& map) {
  if (map.values.size() != map.rows.size() * map.columns.size()) {
    bad(map.name, "has " + std::to_string(map.values.size()) + " values for " + std::to_string(map.rows.size()) +
                      " rows of " + std::to_string(map.columns.size()));
  }
  Json event = event_of("heatmap", map.name, map.title, map.note);
  event["rows"] = map.rows;
  event["columns"] = map.columns;
  event["values"] = numbers(map.values);
  events_.push_back(std::move(event));
}

void Figures::add(const FigureTable& table) {
  for (const auto& row : table.rows) {
    if (row.size() != table.columns.size())
      bad(table.name, "has a row of " + std::to_string(row.size()) + " cells under " +
                          std::to_string(table.columns.size()) + " columns");
  }
  Json event = event_of("table", table.name, table.title, table.note);
  event["columns"] = table.columns;
  event["rows"] = table.rows;
  events_.push_back(std::move(event));
}

void Figures::add(const Image& image) {
  std::string text(4 * ((image.bytes.size() + 2) / 3) + 1, 0);
  const int length = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(image.bytes.data()),
                                       static_cast<int>(image.bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  Json event = event_of("image", image.name, image.title, "");
  event["type"] = image.type;
  event["base64"] = std::move(text);
  events_.push_back(std::move(event));
}

std::vector<Json> Figures::take() { return std::exchange(events_, {}); }

}  // namespace frugal
