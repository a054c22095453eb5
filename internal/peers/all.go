package peers

import (
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// Join puts a client on a bridge of a host, on a machine of its own.
type Join func(t testing.TB, h *testhost.Host, bridge string) Client

// All has every client by name. The name of its machine is vm-NAME.
func All() map[string]Join {
	all := map[string]Join{"kernel": Autoconf, "guest": Guest}
	for name, start := range map[string]func(testing.TB, *testhost.Host) Client{
		"udhcpc": Udhcpc, "dhclient": Dhclient, "dhcpcd": Dhcpcd, "networkd": Networkd, "ipconfig": Ipconfig, "strict": Strict,
		"dhclient6": Dhclient6, "dhcpcd6": Dhcpcd6, "networkd6": Networkd6,
	} {
		all[name] = func(t testing.TB, h *testhost.Host, bridge string) Client {
			t.Helper()
			machine := nstest.Host(t, "vm-"+name)
			nstest.Join(t, machine, h, bridge)
			return start(t, machine)
		}
	}
	return all
}
