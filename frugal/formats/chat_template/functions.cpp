// The functions that templates call by name: raise_exception, strftime_now, range, namespace, dict.
#include <algorithm>
#include <array>
#include <ctime>

#include "frugal/base/error.h"
#include "frugal/formats/chat_template/interpreter.h"

namespace frugal::chat_template {
namespace {

constexpr std::array<std::string_view, 5> kFunctions = {"raise_exception", "strftime_now", "range", "namespace",
                                                        "dict"};
constexpr std::int64_t kMaxRange = 100'000;

Value make_namespace(Entries entries, Context& context) {
  for (const auto& [key, value] : entries) {
    if (!value.is_data()) context.unsupported("a " + std::string(value.type_name()) + " inside a namespace");
  }
  return std::make_shared<Namespace>(Namespace{std::move(entries)});
}

Value now(const std::string& format, Context& context) {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 1024> buffer;
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &parts);
  if (size == 0 && !format.empty())
    context.fail("strftime_now cannot format the time as '" + format.substr(0, 60) + "'");
  return Value(std::string(buffer.data(), size));
}

Value range(const Arguments& given, Context& context) {
  given.check("range", 3, {}, context);
  if (given.values.empty()) context.fail("range needs a number");
  const auto at = [&](std::size_t i) { return integer_of(given.values[i], "an argument of range", context); };
  const std::int64_t begin = given.values.size() > 1 ? at(0) : 0, end = given.values.size() > 1 ? at(1) : at(0);
  const std::int64_t step = given.values.size() > 2 ? at(2) : 1;
  if (step == 0) context.fail("the step of range is 0");
  List out;
  std::int64_t i = begin;
  while (step > 0 ? i < end : i > end) {
    if (static_cast<std::int64_t>(out.size()) >= kMaxRange)
      context.fail("range has more than " + std::to_string(kMaxRange) + " elements");
    out.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Value::list(std::move(out), context);
}

}  // namespace

bool is_function(std::string_view name) {
  return std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end();
}

Value call_function(const std::string& name, const Arguments& given, Context& context) {
  if (name == "raise_exception") {
    given.check(name, 1, {"message"}, context);
    throw Error(Exit::input,
                "the chat template refuses these messages (line " + std::to_string(context.line) +
                    "): " + to_text(given.get(0, "message"), context),
                "change the roles, order or content of the messages as it says");
  }
  if (name == "strftime_now")
    return now(text_of(given.get(0, "format"), "the format of strftime_now", context), context);
  if (name == "range") return range(given, context);
  if (!given.values.empty()) context.unsupported("a positional argument of '" + name + "'");
  Entries entries;
  for (const auto& [key, value] : given.named) put_entry(entries, key, value, context);
  return name == "dict" ? Value::dict(std::move(entries), context) : make_namespace(std::move(entries), context);
}

}  // namespace frugal::chat_template
