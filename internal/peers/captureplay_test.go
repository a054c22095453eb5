package peers

import (
	"context"
	"os"
	"strings"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// relay is a router with a network of its own behind it, and a host there.
func (s *studio) relay(address, option string) *testhost.Host {
	s.Helper()
	router, far := s.machine("relay", "10.9.0.2/24", "fd09::2/64"), nstest.Host(s.T, "vm1")
	for _, argv := range [][]string{
		{"ip", "link", "add", "br1", "type", "bridge"}, {"ip", "link", "set", "br1", "up"}, {"ip", "address", "add", address, "dev", "br1"},
	} {
		if _, err := run(s.Context(), router, argv...); err != nil {
			s.Fatal(err)
		}
	}
	nstest.Join(s.T, far, router, "br1")
	at := newStation(s.T, router, "dnsmasq", 4)
	s.run(at, program{argv: []string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--group=root", "--port=0", "--pid-file=", option}})
	return far
}

func (s *studio) dhclient(script string, args ...string) {
	s.Helper()
	Need(s.T, "dhclient", "isc-dhcp-client")
	at := newStation(s.T, s.machine("vm1"), "dhclient", 4)
	argv := append([]string{"dhclient", "-d", "-v"}, args...)
	s.run(at, program{argv: append(argv, "-cf", "/dev/null", "-lf", at.path("leases"), "-pf", at.path("pid"), "-sf", s.script(at, script+"\nexit 0"), device)})
}

func (s *studio) dhcpcd(conf string, args ...string) {
	s.Helper()
	s.dhcpcdOn(s.machine("vm1"), conf, args...)
}

// dhcpcdOn has the private directories of dhcpcd.begin.
func (s *studio) dhcpcdOn(h *testhost.Host, conf string, args ...string) {
	s.Helper()
	Need(s.T, "dhcpcd", "dhcpcd-base")
	at := newStation(s.T, h, "dhcpcd", 4)
	for _, dir := range []string{"run/dhcpcd", "lib/dhcpcd"} {
		if err := os.MkdirAll(at.path(dir), 0o755); err != nil {
			s.Fatal(err)
		}
	}
	if err := os.WriteFile(at.path("conf"), []byte("script "+s.script(at, "exit 0")+"\nclientid\nduid ll\n"+conf), 0o644); err != nil {
		s.Fatal(err)
	}
	argv := append([]string{"dhcpcd", "-B", "-d", "-f", at.path("conf")}, args...)
	s.run(at, program{argv: append(argv, device), prepare: []string{bind(at.path("run"), "/run"), bind(at.path("lib"), "/var/lib")}, alone: true})
}

// networkd has one more file of settings, which counts after its own.
func (s *studio) networkd(family int, settings string) {
	s.Helper()
	c := newNetworkd(s.T, s.machine("vm1"), "networkd", family).(*networkd)
	dir := c.path("etc", "10-eth0.network.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(dir+"/more.conf", []byte(settings), 0o644); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	if err := c.begin(ctx); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if s.Failed() {
			s.Log(c.proc.said())
		}
	})
}

// ipxe boots a machine from the network with the firmware that QEMU has on its
// card.
func (s *studio) ipxe() {
	s.Helper()
	Need(s.T, "qemu-system-x86_64", "qemu-system-x86")
	mac := s.tap("vm-ipxe")
	at := &station{t: s.T, host: s.server, name: "ipxe", dir: s.TempDir()}
	s.run(at, program{argv: strings.Fields("qemu-system-x86_64 -accel tcg -machine pc,usb=off -m 64 -nodefaults -no-user-config -display none -no-reboot -boot n" +
		" -netdev tap,id=nic,ifname=vm-ipxe,script=no,downscript=no,vhost=off -device virtio-net-pci,netdev=nic,mac=" + mac.String())})
}
