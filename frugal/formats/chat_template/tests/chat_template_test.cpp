#include "frugal/formats/chat_template.h"

#include <gtest/gtest.h>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"

namespace frugal {
namespace {

Json golden(const std::string& name) {
  return Json::parse(read_file(FRUGAL_SOURCE_DIR "/frugal/formats/chat_template/tests/golden/" + name));
}

// What the template gives, or null when it is refused.
Json rendered(const std::string& source, const Json& variables) {
  try {
    return render_chat_template(source, variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("line "), std::string::npos) << error.what();
    EXPECT_FALSE(error.fix().empty());
    return nullptr;
  }
}

TEST(ChatTemplate, RendersModelsTemplatesAsTheReference) {
  const Json file = golden("chat.json");
  std::size_t refused = 0;
  for (const Json& test : file.at("cases")) {
    const std::string name = test[0];
    EXPECT_EQ(rendered(file.at("templates").at(name), file.at("variables").at(test[1].get<std::size_t>())), test[2])
        << name << " " << test[1];
    refused += test[2].is_null();
  }
  EXPECT_GT(refused, 5u);  // alternating roles are checked by some of them
}

TEST(ChatTemplate, RendersEachConstructAsTheReference) {
  const Json file = golden("snippets.json");
  for (const Json& snippet : file.at("snippets"))
    EXPECT_EQ(rendered(snippet[0], file.at("variables")), snippet[1]) << snippet[0];
}

// What is refused, and the parts of the message that must name the place and the construct.
void expect_refused(const std::string& source, const std::vector<std::string>& parts) {
  try {
    const std::string out = render_chat_template(source, {{"x", 1}, {"text", "t"}});
    ADD_FAILURE() << source.substr(0, 200) << " gave " << out.substr(0, 200);
  } catch (const Error& error) {
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(ChatTemplate, NamesTheLineAndTheConstruct) {
  expect_refused("a\nb\n{% include 'x' %}", {"line 3", "'include'"});
  expect_refused("\n{{ x | nope }}", {"line 2", "'nope'"});
  expect_refused("{{ x is nope }}", {"line 1", "'nope'"});
  expect_refused("\n\n\n{{ text.nope() }}", {"line 4", "'nope'"});
  expect_refused("{% if x %}\n\n{% for y in x %}", {"line 3", "'for'", "'endfor'"});
  expect_refused("{% if x %}\n\n{{ missing.y }}{% endif %}", {"line 3", "'missing' is undefined"});
  expect_refused("{{ 2 ** 3 }}", {"'**'"});
  expect_refused("{{ raise_exception('roles must alternate') }}", {"line 1", "roles must alternate"});
  expect_refused("{{ x ; }}", {"';'"});
  expect_refused("{% for a in x recursive %}{% endfor %}", {"recursive"});
  expect_refused("{{ [namespace()] }}", {"namespace inside"});
  expect_refused("{{ x | tojson(sort_keys=true) }}", {"'sort_keys'"});
}

TEST(ChatTemplate, NothingRunsAway) {
  const auto repeat = [](const std::string& part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
  };
  expect_refused("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", {"steps"});
  expect_refused("{% for a in range(99999) %}0123456789012345{% endfor %}", {"output has more than"});
  expect_refused("{{ 'a' * 99999999 }}", {"bytes"});
  expect_refused("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                 {"bytes"});
  expect_refused("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l] %}{% endfor %}",
                 {"nested more than"});
  expect_refused(
      "{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      {"line 1"});
  expect_refused(
      "{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == "
      "[ns.l[0], ns.l[1]] }}",
      {"steps"});
  expect_refused("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
                 {"steps"});
  expect_refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {"deep"});
  expect_refused("{{ " + repeat("(", 5000) + "1" + repeat(")", 5000) + " }}", {"deep"});
  expect_refused("{{ " + repeat("[", 5000) + repeat("]", 5000) + "}}", {"deep"});
  expect_refused("{{ " + repeat("not ", 5000) + "1 }}", {"deep"});
  expect_refused("{{ " + repeat("-", 5000) + "1 }}", {"deep"});
  expect_refused("{{ 1" + repeat(" + 1", 5000) + " }}", {"deep"});
  expect_refused("{{ x" + repeat(".x", 5000) + " }}", {"deep"});
  expect_refused("{{ x" + repeat("|list", 5000) + " }}", {"deep"});
  expect_refused(repeat("{% if x %}", 5000), {"deep"});
  expect_refused("{{ 9223372036854775807 + x }}", {"out of range"});
  expect_refused("{{ (-9223372036854775807 - 1) // -1 }}", {"out of range"});
  expect_refused("{{ 99999999999999999999 }}", {"out of range"});
  expect_refused(std::string((1 << 20) + 1, ' '), {"bytes"});
}

TEST(ChatTemplate, LongConversationsAreFine) {
  Json messages = Json::array();
  for (int i = 0; i < 2000; ++i)
    messages.push_back({{"role", i % 2 ? "assistant" : "user"}, {"content", std::string(200, 'x')}});
  const Json file = golden("chat.json");
  for (const auto& [name, source] : file.at("templates").items()) {
    const std::string text =
        render_chat_template(source.get<std::string>(), {{"messages", messages}, {"bos_token", ""}, {"eos_token", ""}});
    EXPECT_GT(text.size(), 400'000u) << name;
  }
}

TEST(ChatTemplate, VariablesMayBeAnything) {
  EXPECT_EQ(render_chat_template("{{ s }}", {{"s", "\xff\xfe"}}), "\xff\xfe");
  EXPECT_EQ(render_chat_template("{{ s|length }}{{ s[0] == s[1] }}{{ s|upper }}", {{"s", "\xff\xfe"}}),
            "2False\xff\xfe");
  EXPECT_EQ(render_chat_template("{{ n }}", {{"n", 18446744073709551615u}}), "1.8446744073709552e+19");
  Json deep = 1;
  for (int i = 0; i < 100; ++i) deep = Json::array({deep});
  EXPECT_EQ(rendered("{{ d }}", {{"d", deep}}), nullptr);
  EXPECT_THROW(render_chat_template("", Json::array()), Error);
}

}  // namespace
}  // namespace frugal
