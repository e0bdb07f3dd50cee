// FakeBus: a D-Bus with an avahi-daemon that answers a number of calls and then stops answering. The client can
// publish, browse, resolve one peer and watch its record, and so makes every kind of call.
#pragma once

#include <dbus/dbus.h>
#include <poll.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "libpeer/discovery/record.h"

namespace peer::test {

/// What the one peer resolves to.
struct FakePeer {
  discovery::Record record;
  int interface = 0;
  std::string address;
};

class FakeBus {
 public:
  /// Answers the calls before `silent_from`, counted from 1. With 0, does not even accept the connection.
  FakeBus(const std::string& path, unsigned silent_from, FakePeer peer)
      : silent_from_(silent_from), peer_(std::move(peer)) {
    server_ = dbus_server_listen(("unix:path=" + path).c_str(), nullptr);
    REQUIRE(server_ != nullptr);
    dbus_server_set_new_connection_function(server_, on_connection, this, nullptr);
    REQUIRE(dbus_server_set_watch_functions(server_, on_watch, off_watch, nullptr, this, nullptr));
    silent_ = silent_from == 0;
    thread_ = std::thread([this] { run(); });
  }
  FakeBus(const FakeBus&) = delete;
  FakeBus& operator=(const FakeBus&) = delete;
  /// Closes the connection, which ends every pending call.
  ~FakeBus() {
    over_ = true;
    thread_.join();
    for (DBusConnection* each : connections_) {
      dbus_connection_close(each);
      dbus_connection_unref(each);
    }
    dbus_server_disconnect(server_);
    dbus_server_unref(server_);
  }

  /// Whether it has received a call that it does not answer.
  bool silent() const { return silent_; }
  unsigned calls() const { return calls_; }
  bool record_watched() const { return watched_; }
  bool text_updated() const { return updated_; }
  bool published() const { return published_; }

 private:
  static dbus_bool_t on_watch(DBusWatch* watch, void* self) {
    static_cast<FakeBus*>(self)->watch_ = watch;
    return 1;
  }
  static void off_watch(DBusWatch*, void* self) { static_cast<FakeBus*>(self)->watch_ = nullptr; }
  static void on_connection(DBusServer*, DBusConnection* connection, void* self) {
    dbus_connection_ref(connection);
    dbus_connection_add_filter(connection, on_message, self, nullptr);
    static_cast<FakeBus*>(self)->connections_.push_back(connection);
  }

  void run() {
    while (!over_) {
      if (silent_ || watch_ == nullptr) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      pollfd listening{dbus_watch_get_unix_fd(watch_), POLLIN, 0};
      if (::poll(&listening, 1, 1) > 0) dbus_watch_handle(watch_, DBUS_WATCH_READABLE);
      std::erase_if(connections_, [this](DBusConnection* each) {
        if (silent_ || dbus_connection_read_write_dispatch(each, 1)) return false;
        dbus_connection_unref(each);
        return true;
      });
    }
  }

  static DBusHandlerResult on_message(DBusConnection* connection, DBusMessage* message, void* self) {
    static_cast<FakeBus*>(self)->take(connection, message);
    return DBUS_HANDLER_RESULT_HANDLED;
  }

  void take(DBusConnection* connection, DBusMessage* message) {
    if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL || silent_) return;
    if (++calls_ == silent_from_) {
      silent_ = true;
      return;
    }
    const std::string member = dbus_message_get_member(message);
    const std::string interface = dbus_message_get_interface(message);
    DBusMessage* const reply = dbus_message_new_method_return(message);
    dbus_message_set_sender(reply, "org.freedesktop.Avahi");
    const bool of_server = interface == "org.freedesktop.Avahi.Server";
    const dbus_bool_t yes = 1;
    const std::uint32_t version = 0x0203;
    const std::int32_t state = of_server ? 2 : 0;  // running; an entry group that is not committed
    const char* const name = ":1.1";
    const std::string path = "/object" + std::to_string(calls_.load());
    const char* const object = path.c_str();
    if (member == "Hello" || member == "GetNameOwner") {
      dbus_message_append_args(reply, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID);
    } else if (member == "NameHasOwner") {
      dbus_message_append_args(reply, DBUS_TYPE_BOOLEAN, &yes, DBUS_TYPE_INVALID);
    } else if (member == "GetAPIVersion") {
      dbus_message_append_args(reply, DBUS_TYPE_UINT32, &version, DBUS_TYPE_INVALID);
    } else if (member == "GetState") {
      dbus_message_append_args(reply, DBUS_TYPE_INT32, &state, DBUS_TYPE_INVALID);
    } else if (member.ends_with("New")) {
      dbus_message_append_args(reply, DBUS_TYPE_OBJECT_PATH, &object, DBUS_TYPE_INVALID);
    }
    send(connection, reply);
    if (member == "ServiceBrowserNew") tell_item(connection, object);
    if (member == "ServiceResolverNew") tell_found(connection, object);
    if (member == "RecordBrowserNew") watched_ = true;
    if (member == "UpdateServiceTxt") updated_ = true;
    if (member == "Commit") published_ = true;
  }

  static void send(DBusConnection* connection, DBusMessage* message) {
    dbus_connection_send(connection, message, nullptr);
    dbus_connection_flush(connection);
    dbus_message_unref(message);
  }
  static DBusMessage* signal(const char* object, const char* interface, const char* name) {
    DBusMessage* const message = dbus_message_new_signal(object, interface, name);
    dbus_message_set_sender(message, "org.freedesktop.Avahi");
    return message;
  }

  void tell_item(DBusConnection* connection, const char* object) const {
    DBusMessage* const message = signal(object, "org.freedesktop.Avahi.ServiceBrowser", "ItemNew");
    const std::int32_t interface = peer_.interface;
    const std::int32_t family = 0;  // IPv4
    const char* const name = "other";
    const char* const type = "_peerd._udp";
    const char* const domain = "local";
    const std::uint32_t flags = 0;
    dbus_message_append_args(message, DBUS_TYPE_INT32, &interface, DBUS_TYPE_INT32, &family, DBUS_TYPE_STRING, &name,
                             DBUS_TYPE_STRING, &type, DBUS_TYPE_STRING, &domain, DBUS_TYPE_UINT32, &flags,
                             DBUS_TYPE_INVALID);
    send(connection, message);
  }

  void tell_found(DBusConnection* connection, const char* object) const {
    DBusMessage* const message = signal(object, "org.freedesktop.Avahi.ServiceResolver", "Found");
    const std::int32_t interface = peer_.interface;
    const std::int32_t family = 0;
    const char* const name = "other";
    const char* const type = "_peerd._udp";
    const char* const domain = "local";
    const char* const host = "other.local";
    const char* const address = peer_.address.c_str();
    const std::uint16_t port = 24747;
    const std::uint32_t flags = 0;
    dbus_message_append_args(message, DBUS_TYPE_INT32, &interface, DBUS_TYPE_INT32, &family, DBUS_TYPE_STRING, &name,
                             DBUS_TYPE_STRING, &type, DBUS_TYPE_STRING, &domain, DBUS_TYPE_STRING, &host,
                             DBUS_TYPE_INT32, &family, DBUS_TYPE_STRING, &address, DBUS_TYPE_UINT16, &port,
                             DBUS_TYPE_INVALID);
    DBusMessageIter all;
    DBusMessageIter texts;
    dbus_message_iter_init_append(message, &all);
    dbus_message_iter_open_container(&all, DBUS_TYPE_ARRAY, "ay", &texts);
    for (const std::string& text : discovery::encode_txt(peer_.record)) {
      DBusMessageIter bytes;
      const char* const data = text.data();
      dbus_message_iter_open_container(&texts, DBUS_TYPE_ARRAY, "y", &bytes);
      dbus_message_iter_append_fixed_array(&bytes, DBUS_TYPE_BYTE, &data, static_cast<int>(text.size()));
      dbus_message_iter_close_container(&texts, &bytes);
    }
    dbus_message_iter_close_container(&all, &texts);
    dbus_message_iter_append_basic(&all, DBUS_TYPE_UINT32, &flags);
    send(connection, message);
  }

  const unsigned silent_from_;
  const FakePeer peer_;
  DBusServer* server_ = nullptr;
  DBusWatch* watch_ = nullptr;                // belongs to the thread, once it runs
  std::vector<DBusConnection*> connections_;  // belong to the thread
  std::atomic<bool> silent_ = false;
  std::atomic<bool> over_ = false;
  std::atomic<bool> watched_ = false;
  std::atomic<bool> updated_ = false;
  std::atomic<bool> published_ = false;
  std::atomic<unsigned> calls_ = 0;
  std::thread thread_;
};

}  // namespace peer::test
