package peers

import (
	"os/exec"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// scenes are what TestCapture records.
func scenes() []scene {
	list := lives()
	list = append(list, declines()...)
	list = append(list, others4()...)
	list = append(list, others6()...)
	list = append(list, relays()...)
	return append(list, questions()...)
}

// version is what Debian says of an installed package, without its own revision.
func version(program, pkg string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${source:Upstream-Version}", pkg).Output()
	if err != nil {
		return program
	}
	return program + " " + string(out)
}

var (
	madeUdhcpc   = version("busybox udhcpc", "busybox-static")
	madeDhclient = version("ISC dhclient", "isc-dhcp-client")
	madeDhcpcd   = version("dhcpcd", "dhcpcd-base")
	madeNetworkd = version("systemd-networkd", "systemd")
	madePerf     = version("perfdhcp", "kea-admin")
)

// lives are clients that take, renew, rebind, release, take again, lose power and
// come back.
func lives() []scene {
	all4 := []string{"dhcp4/discover", "dhcp4/request-selecting", "dhcp4/request-renewing", "dhcp4/request-rebinding", "dhcp4/release"}
	all6 := []string{"dhcp6/solicit", "dhcp6/request", "dhcp6/renew", "dhcp6/rebind", "dhcp6/release"}
	once := []string{"dhcp4/discover", "dhcp4/request-selecting"}
	return []scene{
		{"udhcpc", madeUdhcpc, live(Udhcpc), all4},
		{"dhclient", madeDhclient, live(Dhclient), append(all4, "dhcp4/request-reboot")},
		{"dhcpcd", madeDhcpcd, live(Dhcpcd), append(once, "dhcp4/request-renewing", "dhcp4/request-reboot", "dhcp4/release")},
		{"networkd", madeNetworkd, live(Networkd), all4},
		{"ipconfig", version("klibc ipconfig", "klibc-utils"), live(Ipconfig), once},
		{"linux", "Linux 7.1, ip=dhcp", bootOf(Autoconf), once},
		{"guest", madeUdhcpc + " in QEMU, Linux 6.1", bootOf(Guest), append(all4, "radv/solicitation")},
		{"dhclient", madeDhclient, live(Dhclient6), append(all6, "dhcp6/confirm")},
		{"dhcpcd", madeDhcpcd, live(Dhcpcd6), append(all6, "radv/solicitation")},
		{"networkd", madeNetworkd, live(Networkd6), []string{"dhcp6/solicit", "dhcp6/renew", "dhcp6/rebind", "radv/solicitation"}},
		{"linux", "Linux", func(s *studio) { nstest.Join(s.T, nstest.Host(s.T, "vm-linux"), s.server, "br0") }, []string{"radv/solicitation"}},
	}
}

// live is the life of a client on a host.
func live(begin func(testing.TB, *testhost.Host) Client) func(*studio) {
	return func(s *studio) {
		c := begin(s.T, s.machine("vm1"))
		s.serveFor(c)
		Exercise(s.T, c, Want{Patience: 4 * time.Minute})
	}
}

// bootOf is the life of a client in a virtual machine.
func bootOf(join Join) func(*studio) {
	return func(s *studio) {
		c := join(s.T, s.server, "br0")
		s.serveFor(c)
		Exercise(s.T, c, Want{})
	}
}

func (s *studio) serveFor(c Client) {
	if c.Family() == 4 {
		s.serve4()
	} else {
		s.serve6()
	}
}

// busy lets the server give only addresses that somebody has.
func (s *studio) busy() {
	s.machine("other", "10.9.0.50/24", "fd09::50/64")
	s.serve("10.9.0.50", "10.9.0.50")
}

func (s *studio) busy6() {
	s.machine("other", "fd09::50/64")
	s.serve("fd09::50", "fd09::50")
}

// declines are clients that find somebody on the address they were given. dhclient
// leaves looking to its script; networkd sends none, whatever SendDecline= says
// (systemd 252: "Network is unreachable").
func declines() []scene {
	want4, want6 := []string{"dhcp4/decline"}, []string{"dhcp6/decline"}
	return []scene{
		{"udhcpc-busy", madeUdhcpc, func(s *studio) {
			s.busy()
			at := newStation(s.T, s.machine("vm1"), "udhcpc", 4)
			s.run(at, program{argv: []string{"busybox", "udhcpc", "-f", "-a", "-i", device, "-s", s.script(at, "exit 0"), "-T", "1"}})
		}, want4},
		{"dhclient-busy", madeDhclient, func(s *studio) {
			s.busy()
			s.dhclient("case $reason in BOUND) exit 1 ;; esac", "-4")
		}, want4},
		{"dhcpcd-busy", madeDhcpcd, func(s *studio) { s.busy(); s.dhcpcd("nodelay\n", "-4") }, want4},
		{"dhclient-busy", madeDhclient, func(s *studio) {
			s.busy6()
			s.dhclient("case $reason in BOUND6) exit 3 ;; esac", "-6")
		}, want6},
	}
}

// others4 are less usual messages of DHCPv4.
func others4() []scene {
	return []scene{
		{"udhcpc-bare", madeUdhcpc, func(s *studio) {
			s.serve4()
			at := newStation(s.T, s.machine("vm1"), "udhcpc", 4)
			s.run(at, program{argv: []string{"busybox", "udhcpc", "-f", "-C", "-B", "-V", "", "-r", "10.9.0.60", "-F", "vm1.lab.internal", "-i", device, "-s", s.script(at, "exit 0")}})
		}, []string{"dhcp4/request-selecting"}},
		{"dhcpcd-inform", madeDhcpcd, func(s *studio) { s.serve4(); s.dhcpcd("nodelay\n", "-4", "-s", "10.9.0.77/24") }, []string{"dhcp4/inform"}},
		{"dhcpcd-rapid", madeDhcpcd, func(s *studio) { s.serve4(); s.dhcpcd("noarp\noption rapid_commit\n", "-4") }, []string{"dhcp4/request-selecting"}},
		{"networkd-duid", madeNetworkd, func(s *studio) {
			s.serve4()
			s.networkd(4, "[DHCPv4]\nClientIdentifier=duid\nDUIDType=link-layer\nRequestBroadcast=yes\n")
		}, []string{"dhcp4/request-selecting"}},
		{"networkd-anonymous", madeNetworkd, func(s *studio) { s.serve4(); s.networkd(4, "[DHCPv4]\nAnonymize=yes\n") }, []string{"dhcp4/request-selecting"}},
		{"ipxe", version("iPXE", "ipxe-qemu"), func(s *studio) { s.serve4(); s.ipxe() }, []string{"dhcp4/discover", "dhcp4/request-selecting"}},
	}
}

// others6 are less usual messages of DHCPv6.
func others6() []scene {
	return []scene{
		{"dhclient-stateless", madeDhclient, func(s *studio) { s.serve6(); s.dhclient("", "-6", "-S") }, []string{"dhcp6/information-request"}},
		{"dhclient-all", madeDhclient, func(s *studio) { s.serve6(); s.dhclient("", "-6", "-N", "-T", "-P") }, []string{"dhcp6/solicit"}},
		{"dhcpcd-stateless", madeDhcpcd, func(s *studio) { s.serve6(); s.dhcpcd("noipv6rs\n", "-6", "--inform6") }, []string{"dhcp6/information-request"}},
		{"dhcpcd-all", madeDhcpcd, func(s *studio) {
			s.serve6()
			s.dhcpcd("nodelay\noption rapid_commit\ninterface eth0\nia_na 1\nia_na 2\nia_ta 3\nia_pd 4 -\n", "-6")
		}, []string{"dhcp6/solicit"}},
		{"networkd-stateless", madeNetworkd, func(s *studio) {
			s.serve6()
			s.networkd(6, "[Network]\nIPv6AcceptRA=no\nDHCP=ipv6\n[DHCPv6]\nWithoutRA=information-request\n")
		}, []string{"dhcp6/information-request"}},
	}
}

// relays are relay agents: perfdhcp plays one, dnsmasq is one.
func relays() []scene {
	perf := func(args ...string) func(*studio) {
		return func(s *studio) {
			if args[0] == "-4" {
				s.serve4()
			} else {
				s.serve6()
			}
			h := s.machine("vm1", "10.9.0.2/24", "fd09::2/64")
			PerfDHCP(s.Context(), s.T, h, args...)
		}
	}
	return []scene{
		{"perfdhcp", madePerf, perf("-4", "-r", "20", "-f", "5", "-F", "5", "-R", "5", "-p", "3", "10.9.0.1"), []string{"dhcp4/discover", "dhcp4/request-selecting", "dhcp4/request-renewing", "dhcp4/release"}},
		{"perfdhcp", madePerf, perf("-6", "-r", "20", "-f", "5", "-F", "5", "-R", "5", "-p", "3", "-l", device), []string{"dhcp6/solicit", "dhcp6/request", "dhcp6/renew", "dhcp6/release"}},
		{"perfdhcp", madePerf, perf("-6", "-A", "1", "-r", "20", "-R", "5", "-p", "3", "-l", device), []string{"dhcp6/relayed-solicit", "dhcp6/relayed-request"}},
		{"dnsmasq-relay", version("dnsmasq", "dnsmasq-base") + " as relay agent of udhcpc", func(s *studio) {
			far := s.relay("10.10.0.1/24", "--dhcp-relay=10.10.0.1,10.9.0.1")
			s.serve("10.10.0.10", "10.10.0.99")
			at := newStation(s.T, far, "udhcpc", 4)
			s.run(at, program{argv: []string{"busybox", "udhcpc", "-f", "-i", device, "-s", s.script(at, "exit 0")}})
		}, []string{"dhcp4/discover", "dhcp4/request-selecting"}},
		{"dnsmasq-relay", version("dnsmasq", "dnsmasq-base") + " as relay agent of dhcpcd", func(s *studio) {
			far := s.relay("fd10::1/64", "--dhcp-relay=fd10::1,fd09::1")
			s.serve("fd10::10", "fd10::99")
			s.dhcpcdOn(far, "nodelay\nnoipv6rs\ninterface eth0\nia_na 1\n", "-6")
		}, []string{"dhcp6/relayed-solicit"}},
	}
}
