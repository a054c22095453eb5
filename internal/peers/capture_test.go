package peers

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

var captureTo = flag.String("capture", "", "directory below which TestCapture writes what clients send")

// TestCapture lets real clients speak with dnsmasq and writes what they sent, the
// first message of each kind, as DIR/dhcp4/CLIENT-MESSAGE.hex and so on. The
// rooms that answer such messages have them in testdata/captured.
func TestCapture(t *testing.T) {
	if *captureTo == "" {
		t.Skip("only writes files: type: go test ./internal/peers -run TestCapture -capture DIR")
	}
	for _, s := range scenes() {
		room, _, _ := strings.Cut(s.want[0], "/")
		t.Run(s.client+"/"+room, func(t *testing.T) {
			t.Parallel()
			newStudio(t).record(s)
		})
	}
}

// scene is something a client does.
type scene struct {
	client string // begins the names of its files
	made   string // program and version
	play   func(*studio)
	want   []string // messages that it must have sent, as kind/name
}

// studio is a bridge with a server on which one client is recorded. Somebody else
// has the only address the server gives, where a scene wants that.
type studio struct {
	*testing.T
	server  *testhost.Host
	capture *testhost.Capture
}

func newStudio(t *testing.T) *studio {
	t.Helper()
	server := nstest.Host(t, "server")
	for _, err := range []error{
		server.Bridge("br0"),
		server.AddAddress("br0", netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd09::1/64")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := server.Capture(t.Context(), "br0", func(p testhost.Packet) bool { return !p.Outgoing && roomOf(p) != "" })
	if err != nil {
		t.Fatal(err)
	}
	return &studio{t, server, c}
}

// serve starts dnsmasq with a range.
func (s *studio) serve(from, to string, options ...string) {
	Dnsmasq(s.T, s.server, DnsmasqConfig{Device: "br0", From: netip.MustParseAddr(from), To: netip.MustParseAddr(to), Lease: 120, Domain: "lab.internal", Options: options})
}

// serve4 has clients renew and rebind soon.
func (s *studio) serve4() {
	s.serve("10.9.0.10", "10.9.0.99", "--dhcp-option-force=option:T1,2", "--dhcp-option-force=option:T2,4")
}

func (s *studio) serve6() { s.serve("fd09::10", "fd09::ff") }

// machine is a host on the bridge whose kernel solicits no routers.
func (s *studio) machine(name string, addresses ...string) *testhost.Host {
	s.Helper()
	h := nstest.Host(s.T, name)
	if err := h.Sysctl("net/ipv6/conf/default/router_solicitations", "0"); err != nil {
		s.Fatal(err)
	}
	var list []netip.Prefix
	for _, a := range addresses {
		list = append(list, netip.MustParsePrefix(a))
	}
	nstest.Join(s.T, h, s.server, "br0", list...)
	return h
}

// captureLimit is how long a scene may need after it was set.
const captureLimit = time.Minute

// record plays a scene, waits until all that was wanted was sent, and writes it.
func (s *studio) record(sc scene) {
	sc.play(s)
	ctx, cancel := context.WithTimeout(s.Context(), captureLimit)
	defer cancel()
	if err := until(ctx, func() error { return missing(sc, s.capture.Packets()) }); err != nil {
		s.Error(err) // what there is is written
	}
	if err := write(*captureTo, sc, s.capture.Packets()); err != nil {
		s.Fatal(err)
	}
}

// missing tells what a scene wants and was not seen.
func missing(sc scene, packets []testhost.Packet) error {
	var seen []string
	for _, p := range packets {
		seen = append(seen, roomOf(p)+"/"+nameOf(p))
	}
	for _, w := range sc.want {
		if !slices.Contains(seen, w) {
			return fmt.Errorf("%s sent no %s, but %v", sc.client, w, seen)
		}
	}
	return nil
}

// write writes the first packet of each name, for the rooms the scene is about.
func write(dir string, sc scene, packets []testhost.Packet) error {
	done := map[string]bool{}
	for _, p := range packets {
		file := filepath.Join(dir, roomOf(p), sc.client+"-"+nameOf(p)+".hex")
		about := slices.ContainsFunc(sc.want, func(w string) bool { return strings.HasPrefix(w, roomOf(p)+"/") })
		if done[file] || !about {
			continue
		}
		done[file] = true
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, render(sc, p), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// script writes an executable file into a station's directory.
func (s *studio) script(at *station, text string) string {
	s.Helper()
	path := at.path("act")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		s.Fatal(err)
	}
	return path
}

// run starts a program of a station, to be gone with the test.
func (s *studio) run(at *station, p program) {
	s.Helper()
	if err := at.start(p); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if s.Failed() {
			s.Log(at.proc.said())
		}
	})
}

// tap is a port of the bridge for a virtual machine.
func (s *studio) tap(name string) spec.MAC {
	s.Helper()
	for _, argv := range [][]string{{"ip", "tuntap", "add", name, "mode", "tap"}, {"ip", "link", "set", name, "master", "br0", "up"}} {
		if _, err := run(s.Context(), s.server, argv...); err != nil {
			s.Fatal(err)
		}
	}
	s.Cleanup(func() { run(context.Background(), s.server, "ip", "link", "del", name) })
	return spec.GenerateMAC(name)
}
