package cli

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

var netDHCPLeases = &verb{name: "net-dhcp-leases", help: "print lease info for a given network", about: "Print lease info for a given network",
	example: `  kvmnet net-dhcp-leases lab
  kvmnet net-dhcp-leases lab 52:54:00:11:22:33
  kvmnet net-dhcp-leases lab -o json`,
	params: []param{networkParam, {name: "mac", help: "MAC address", kind: aWord}, outputParam},
	run:    (*call).leases}

func (c *call) leases() error {
	mac, err := c.value("mac")
	if err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	failed := fmt.Sprintf("Failed to get leases info for %s", c.given[networkParam.name])
	var only spec.MAC
	if mac != "" {
		if only, err = spec.ParseMAC(mac); err != nil {
			return virshError{failed, "invalid MAC address: " + mac}
		}
	}
	list, err := c.client().Leases(c.ctx, n.Name)
	if err != nil {
		return virshError{failed, c.why(err, n)}
	}
	list = slices.DeleteFunc(list, func(l api.Lease) bool { return l.State != "bound" || mac != "" && l.MAC != only })
	slices.SortStableFunc(list, func(a, b api.Lease) int {
		return cmp.Or(cmp.Compare(a.MAC.String(), b.MAC.String()), cmp.Compare(a.IAID, b.IAID))
	})
	return c.print(c.form, leaseDocument{list}, func() error { c.printLeases(list); return nil })
}

func (c *call) printLeases(list []api.Lease) {
	var rows [][]string
	for _, l := range list {
		rows = append(rows, []string{expiryTime(l), l.MAC.String(), l.Protocol, l.Address.String(), cmp.Or(l.Hostname, "-"), cmp.Or(l.ClientID, "-")})
	}
	c.columns([]string{"Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"}, rows)
}

// expiryTime is when a lease ends, where the user is.
func expiryTime(l api.Lease) string {
	if l.Expires == nil {
		return "never"
	}
	return l.Expires.Local().Format(time.DateTime)
}
