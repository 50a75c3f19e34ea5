#include "frugal/cli/report/serve.h"

#include <httplib.h>

#include <cctype>
#include <cstdio>
#include <thread>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/units.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/report/style.h"
#include "frugal/cli/report/text.h"
#include "frugal/cli/run_rows.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr int kDepth = 3;            // as list and report look for runs
constexpr const char* kAgain = "5";  // seconds between looks at a run that is running
constexpr const char* kHtml = "text/html; charset=utf-8";

// RFC 3986, section 2.1.
std::string percent_encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = std::isalnum(byte) != 0 || std::string_view("-._~/").find(c) != std::string_view::npos;
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", byte);
    out += is_plain ? std::string(1, c) : std::string(code);
  }
  return out;
}

std::string link_to(const fs::path& folder, const std::string& run) {
  return "/run?path=" + percent_encoded(fs::path(run).lexically_relative(folder).string());
}

std::string cell(const std::string& text) { return "<td>" + report::escape(text) + "</td>"; }

std::string index_page(const fs::path& folder, const std::vector<RunRow>& rows) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Runs - "
      "frugal</title>\n<style>" +
      std::string(report::kStyle) +
      "</style>\n</head>\n<body>\n<main>\n<header><div class=\"brand\">frugal report</div>\n<h1>" +
      report::escape(folder.string()) +
      "</h1></header>\n<section><div class=\"scroll\"><table "
      "class=\"texts\"><thead><tr><th>run</th><th>of</th><th>method</th>"
      "<th>status</th><th>score</th><th></th><th>measured on</th><th>peak</th><th>time</th></tr></thead><tbody>\n";
  for (const RunRow& row : rows) {
    const std::string name = fs::path(row.path).lexically_relative(folder).string();
    const std::string score = row.score ? report::metric(*row.score) : std::string();
    page += "<tr><td><a href=\"" + report::escape(link_to(folder, row.path)) + "\">" + report::escape(name) +
            "</a></td>" + cell(row.action) + cell(row.method) + cell(row.status) + "<td>" +
            (row.is_best ? "<b>" + score + "</b>" : score) + "</td>" + cell(row.metric) +
            cell(fs::path(row.data).filename().string()) + cell(row.peak_bytes ? report::memory(*row.peak_bytes) : "") +
            cell(row.seconds ? report::duration(*row.seconds) : "") + "</tr>\n";
  }
  return page +
         "</tbody></table></div><p class=\"note\">The best of those that were measured on the same data is bold.</p>"
         "</section>\n</main>\n</body>\n</html>\n";
}

class Pages {
 public:
  explicit Pages(fs::path folder) : folder_(std::move(folder)) {}

  void index(httplib::Response& response) const {
    const std::vector<RunRow> rows = find_runs(folder_, kDepth);
    if (rows.size() == 1 && fs::path(rows.front().path) == folder_) return run(rows.front(), response);
    for (const RunRow& row : rows) {
      if (row.status == "running") response.set_header("Refresh", kAgain);
    }
    response.set_content(index_page(folder_, rows), kHtml);
  }

  // path: relative to the folder, of a run that is there. It is compared, never opened.
  void run(const std::string& path, httplib::Response& response) const {
    for (const RunRow& row : find_runs(folder_, kDepth)) {
      if (fs::path(row.path).lexically_relative(folder_).string() == path) return run(row, response);
    }
    response.status = 404;
    response.set_content("there is no such run\n", "text/plain");
  }

 private:
  void run(const RunRow& row, httplib::Response& response) const {
    if (row.status == "running") response.set_header("Refresh", kAgain);
    response.set_content(report_html({row.path}), kHtml);
  }
  const fs::path folder_;
};

}  // namespace

void serve_reports(const ServeOptions& options) {
  const Pages pages(options.folder.lexically_normal());
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  server.set_keep_alive_max_count(4);
  server.set_payload_max_length(0);
  server.set_socket_options([](socket_t socket) {  // not SO_REUSEPORT: a port that is taken is refused
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  std::string host;  // that a browser names
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    const std::string port = host.substr(host.rfind(':')), named = request.get_header_value("Host");
    if (named == host || named == "localhost" + port) return httplib::Server::HandlerResponse::Unhandled;
    response.status = 403;
    response.set_content("this address is http://" + host + "/\n", "text/plain");
    return httplib::Server::HandlerResponse::Handled;
  });
  server.set_exception_handler([](const auto&, httplib::Response& response, std::exception_ptr thrown) {
    response.status = 500;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      response.set_content(std::string(error.what()) + "\n", "text/plain");
    }
  });
  server.Get("/", [&](const auto&, httplib::Response& response) { pages.index(response); });
  server.Get("/run", [&](const httplib::Request& request, httplib::Response& response) {
    pages.run(request.get_param_value("path"), response);
  });
  const char* kHere = "127.0.0.1";
  int port = static_cast<int>(options.port);
  if (port == 0)
    port = server.bind_to_any_port(kHere);
  else if (!server.bind_to_port(kHere, port))
    port = -1;
  if (port < 0)
    throw Error(Exit::input, "port " + std::to_string(options.port) + " of 127.0.0.1 cannot be listened on",
                "--port 0 takes one that is free");
  host = std::string(kHere) + ":" + std::to_string(port);
  std::thread listening([&] { server.listen_after_bind(); });
  if (options.started) options.started("http://" + host + "/");
  while (!is_interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server.stop();
  listening.join();
}

}  // namespace frugal
