#include "frugal/cli/report/figure_record.h"

#include <cmath>

#include "frugal/cli/report/picture.h"

namespace frugal::report {
namespace {

constexpr std::size_t kLongestText = 2000;  // bytes of a name, title, note
constexpr std::size_t kMostColumns = 64;    // of a table
constexpr std::size_t kMostCells = 1'000'000;

struct Refused {};  // within this file: the event is not what it should be

const Json* member(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

const Json& required(const Json& json, const char* key) {
  const Json* found = json.is_object() ? member(json, key) : nullptr;
  if (found == nullptr) throw Refused();
  return *found;
}

const std::string& text_of(const Json& value) {
  if (!value.is_string()) throw Refused();
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > kLongestText) throw Refused();
  return text;
}

std::string text_or_none(const Json& json, const char* key) {
  const Json* found = member(json, key);
  return found == nullptr ? std::string() : text_of(*found);
}

bool flag(const Json& json, const char* key) {
  const Json* found = member(json, key);
  if (found == nullptr) return false;
  if (!found->is_boolean()) throw Refused();
  return found->get<bool>();
}

const Json& list(const Json& json, const char* key) {
  const Json& found = required(json, key);
  if (!found.is_array()) throw Refused();
  return found;
}

std::vector<double> numbers(const Json& json, const char* key) {
  std::vector<double> out;
  const Json& all = list(json, key);
  out.reserve(all.size());
  for (const Json& each : all) {
    if (!each.is_number() && !each.is_null()) throw Refused();
    const double value = each.is_number() ? each.get<double>() : NAN;
    out.push_back(std::abs(value) <= 1e100 ? value : NAN);
  }
  return out;
}

std::vector<std::string> texts(const Json& json, const char* key) {
  std::vector<std::string> out;
  for (const Json& each : list(json, key)) out.push_back(text_of(each));
  return out;
}

Series series_of(const Json& json) {
  Series series{.name = text_or_none(json, "name"), .x = numbers(json, "x"), .y = numbers(json, "y")};
  const bool has_low = member(json, "low") != nullptr;
  if (has_low != (member(json, "high") != nullptr)) throw Refused();
  if (has_low) series.low = numbers(json, "low"), series.high = numbers(json, "high");
  const std::size_t n = series.x.size();
  if (series.y.size() != n || (has_low && (series.low.size() != n || series.high.size() != n))) throw Refused();
  return series;
}

template <class Any>
Any named(const Json& event) {
  Any out;
  out.name = text_of(required(event, "name"));
  out.title = text_or_none(event, "title");
  if (out.name.empty()) throw Refused();
  if (out.title.empty()) out.title = out.name;
  return out;
}

Figure figure_in(const Json& event) {
  auto figure = named<Figure>(event);
  figure.note = text_or_none(event, "note");
  const std::string& kind = text_of(required(event, "kind"));
  if (kind != "lines" && kind != "scatter") throw Refused();
  figure.kind = kind == "lines" ? Figure::Kind::lines : Figure::Kind::scatter;
  figure.x_name = text_or_none(event, "x");
  figure.y_name = text_or_none(event, "y");
  figure.is_log_x = flag(event, "log_x");
  figure.is_log_y = flag(event, "log_y");
  figure.is_equal_scale = flag(event, "equal_scale");
  for (const Json& each : list(event, "series")) figure.series.push_back(series_of(each));
  return figure;
}

HeatMap heat_map_in(const Json& event) {
  auto map = named<HeatMap>(event);
  map.note = text_or_none(event, "note");
  map.rows = texts(event, "rows");
  map.columns = texts(event, "columns");
  map.values = numbers(event, "values");
  const std::size_t rows = map.rows.size(), columns = map.columns.size();
  if (rows > kMostCells || columns > kMostCells || map.values.size() != rows * columns) throw Refused();
  return map;
}

FigureTable table_in(const Json& event) {
  auto table = named<FigureTable>(event);
  table.note = text_or_none(event, "note");
  table.columns = texts(event, "columns");
  if (table.columns.size() > kMostColumns) throw Refused();
  for (const Json& row : list(event, "rows")) {
    if (!row.is_array() || row.size() != table.columns.size()) throw Refused();
    auto& cells = table.rows.emplace_back();
    for (const Json& cell : row) {
      if (cell.is_structured()) throw Refused();
      cells.push_back(cell);
    }
  }
  return table;
}

Picture picture_in(const Json& event) {
  auto picture = named<Picture>(event);
  picture.type = text_of(required(event, "type"));
  const Json& base64 = required(event, "base64");
  if (!base64.is_string() || base64.get_ref<const std::string&>().size() > kMostPictureBytes) throw Refused();
  picture.base64 = base64.get<std::string>();
  const auto size = picture_size(picture.type, picture.base64);
  if (!size) throw Refused();
  picture.width = size->width, picture.height = size->height;
  return picture;
}

}  // namespace

bool is_figure_event(std::string_view kind) {
  return kind == "figure" || kind == "heatmap" || kind == "table" || kind == "image";
}

std::optional<FigureRecord> figure_of(const Json& event) {
  try {
    const std::string& kind = text_of(required(event, "event"));
    if (kind == "figure") return figure_in(event);
    if (kind == "heatmap") return heat_map_in(event);
    if (kind == "table") return table_in(event);
    if (kind == "image") return picture_in(event);
  } catch (const Refused&) {
  }
  return {};
}

const std::string& name_of(const FigureRecord& figure) {
  return std::visit([](const auto& each) -> const std::string& { return each.name; }, figure);
}

}  // namespace frugal::report
