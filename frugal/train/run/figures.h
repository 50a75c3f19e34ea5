// Pictures and tables of a run, as events that the report page draws without knowing what ran. Of figures of one name
// the newest is drawn.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

// Points [x, y]; low and high, where they are there: the ends of a band or of error bars, as many as points.
struct Series {
  std::string name;
  std::vector<double> x, y, low = {}, high = {};
};

struct Figure {
  enum class Kind { lines, scatter };
  std::string name, title;  // name: what a later figure replaces
  std::string x_name, y_name;
  std::vector<Series> series;
  Kind kind = Kind::lines;
  std::string note = {};
  bool is_log_x = false, is_log_y = false;
  bool is_equal_scale = false;  // a unit is as long along x as along y: maps, tracks
};

struct HeatMap {
  std::string name, title;
  std::vector<std::string> rows, columns;
  std::vector<double> values;  // [rows, columns]; not finite: an empty cell
  std::string note = {};
};

struct FigureTable {
  std::string name, title;
  std::vector<std::string> columns;
  std::vector<std::vector<Json>> rows;  // numbers or texts
  std::string note = {};
};

struct Image {
  std::string name, title;
  std::string type = "image/png";  // png or jpeg
  std::string bytes;               // of the file
};

class Figures {
 public:
  void add(const Figure& figure);
  void add(const HeatMap& map);
  void add(const FigureTable& table);
  void add(const Image& image);
  // What was added since the last call: {"event": "figure" | "heatmap" | "table" | "image", "name", "title", ...}.
  std::vector<Json> take();

 private:
  std::vector<Json> events_;
};

}  // namespace frugal
