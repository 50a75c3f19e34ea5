// frugal report --serve: what a browser gets, and what it does not.
#include "frugal/cli/report/serve.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <string>
#include <thread>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/cli/report/tests/html.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// What is answered to one request, head and all.
std::string answer(int port, const std::string& request, bool is_over = false) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  std::string text;
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    if (is_over) ::shutdown(socket, SHUT_WR);
    char part[4096];
    for (ssize_t n; (n = ::read(socket, part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
  }
  ::close(socket);
  return text;
}

class Serve : public testing::Test {
 protected:
  Serve() {
    run("runs/one", "done");
    run("runs/two & three", "running");
    write_file(folder_ / "runs/secret.txt", "secret");
  }
  ~Serve() override {
    if (!serving_.joinable()) return;
    std::raise(SIGINT);
    serving_.join();
    reset_interrupt();
  }
  void run(const std::string& name, const std::string& status) {
    fs::create_directories(folder_ / name);
    write_file(folder_ / name / "run.json",
               R"({"format": 1, "settings": {"method": "<mezo>"}, "status": ")" + status + "\"}");
    write_file(folder_ / name / "events.jsonl", "{\"event\": \"step\", \"step\": 1, \"loss\": 0.5}\n");
  }
  void serve(const fs::path& folder) {
    catch_interrupts();
    std::promise<std::string> url;
    std::future<std::string> is_there = url.get_future();
    serving_ = std::thread([&url, folder] {
      serve_reports({.folder = folder, .port = 0, .started = [&](const std::string& at) { url.set_value(at); }});
    });
    const std::string at = is_there.get();
    ASSERT_TRUE(at.starts_with("http://127.0.0.1:")) << at;
    port_ = std::stoi(at.substr(17));
  }
  std::string get(const std::string& path, const std::string& host = {}) const {
    return answer(port_, "GET " + path +
                             " HTTP/1.1\r\nHost: " + (host.empty() ? "127.0.0.1:" + std::to_string(port_) : host) +
                             "\r\nConnection: close\r\n\r\n");
  }
  TemporaryFolder folder_;
  std::thread serving_;
  int port_ = 0;
};

TEST_F(Serve, ShowsRunsBelowAFolderAndEachOfThem) {
  serve(folder_ / "runs");
  const std::string all = get("/");
  EXPECT_TRUE(all.starts_with("HTTP/1.1 200")) << all.substr(0, 200);
  EXPECT_TRUE(has(all, "/run?path=two%20%26%20three"));
  EXPECT_TRUE(has(all, "&lt;mezo&gt;"));
  EXPECT_TRUE(has(all, "Refresh: 5")) << "one is running";
  const std::string page = all.substr(all.find("\r\n\r\n") + 4);
  EXPECT_EQ(malformed(page), "");
  const std::string one = get("/run?path=one"), two = get("/run?path=two%20%26%20three");
  EXPECT_TRUE(has(one, "<title>one - frugal</title>"));
  EXPECT_FALSE(has(one, "Refresh:"));
  EXPECT_TRUE(has(two, "Refresh: 5"));
  run("runs/later", "done");
  EXPECT_TRUE(has(get("/"), "path=later"));
  EXPECT_FALSE(fs::exists(folder_ / "runs/one/report.html"));
}

TEST_F(Serve, ARunIsItsPage) {
  serve(folder_ / "runs/one");
  EXPECT_TRUE(has(get("/"), "<title>one - frugal</title>"));
}

// Paths that lead elsewhere, names that a page elsewhere made point here, and other methods.
TEST_F(Serve, GivesNothingElse) {
  serve(folder_ / "runs");
  for (const char* path : {"/run?path=..", "/run?path=secret.txt", "/run?path=../runs/one", "/run", "/secret.txt",
                           "/../runs", "/run?path=one%00", "/run?path=/etc/passwd"})
    EXPECT_TRUE(get(path).starts_with("HTTP/1.1 404")) << path << "\n" << get(path).substr(0, 200);
  EXPECT_TRUE(get("/", "evil.example").starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(get("/", "localhost:" + std::to_string(port_)).starts_with("HTTP/1.1 200"));
  EXPECT_FALSE(answer(port_, "POST / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
                                 "\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
                   .starts_with("HTTP/1.1 200"));
  for (const char* noise : {"\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) answer(port_, noise, true);
  EXPECT_TRUE(get("/").starts_with("HTTP/1.1 200")) << "it goes on";
  EXPECT_THROW(serve_reports({.folder = folder_ / "runs", .port = port_}), Error);
}

}  // namespace
}  // namespace frugal
