package kernel

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// setting is a setting of a link and its place in the block of its family.
type setting struct {
	name  string
	place int // in 32-bit numbers
}

// The settings plan knows. A link message carries all settings of the link, so
// that no file has to be read: for IPv4 in the order of IPV4_DEVCONF_*, which
// begins with 1 (linux/ip.h), for IPv6 in that of DEVCONF_* (linux/ipv6.h).
// force_forwarding, the last, is there from kernel 6.17 on; where the block ends
// before it, the setting does not exist.
var (
	settings4 = []setting{
		{"forwarding", 0}, {"arp_announce", 17}, {"arp_ignore", 18}, {"promote_secondaries", 19}, {"route_localnet", 25},
	}
	settings6 = []setting{
		{"forwarding", 0}, {"accept_ra", 3}, {"autoconf", 5}, {"disable_ipv6", 26},
		{"accept_dad", 27}, {"force_forwarding", 59},
	}
)

// routerSettings4 and routerSettings6 are looked at in the namespaces of routers
// beside the others.
var (
	routerSettings4 = []setting{{"rp_filter", 7}, {"ignore_routes_with_linkdown", 28}}
	routerSettings6 = []setting{{"ignore_routes_with_linkdown", 39}}
)

func (v *view) addSettings(d *device) {
	v.addBlock(d, "ipv4", d.conf4, settings4)
	v.addBlock(d, "ipv6", d.conf6, settings6)
	if v.ns != "" {
		v.addBlock(d, "ipv4", d.conf4, routerSettings4)
		v.addBlock(d, "ipv6", d.conf6, routerSettings6)
	}
}

func (v *view) addBlock(d *device, family string, block []byte, settings []setting) {
	for _, s := range settings {
		if len(block) >= 4*(s.place+1) {
			v.state.Add(plan.Sysctl{
				Mark: d.mark(), NS: v.ns, Family: family, Link: d.name, Name: s.name,
				Value: strconv.Itoa(number(block[4*s.place:])),
			})
		}
	}
}

// netconf are the attributes of RTM_GETNETCONF that tell a setting of all links
// together (linux/netconf.h).
const (
	netconfIfindex = 1
	netconfAll     = -1
	netconfForward = 2
	netconfFilter  = 3
)

// observeWhole reads the settings of the whole namespace, which no link carries.
// Without IPv6 nobody answers for it.
func (k *Kernel) observeWhole(v *view) error {
	for family, name := range map[uint8]string{unix.AF_INET: "ipv4", unix.AF_INET6: "ipv6"} {
		msgs, err := k.request(unix.RTM_GETNETCONF, 0, family8(family), attr32(netconfIfindex, netconfAll)).
			Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNETCONF)
		switch {
		case family == unix.AF_INET6 && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)):
			continue
		case err != nil:
			return fmt.Errorf("read settings of %s: %w", name, err)
		}
		for _, m := range msgs {
			v.addWhole(name, m[min(unix.RTA_ALIGNTO, len(m)):])
		}
	}
	return nil
}

// addWhole reads an answer behind its header, struct netconfmsg.
func (v *view) addWhole(family string, b []byte) {
	for kind, value := range attrs(b) {
		s := plan.Sysctl{NS: v.ns, Family: family, Link: "all", Value: strconv.Itoa(number(value))}
		switch {
		case kind == netconfForward:
			s.Name = "forwarding"
		case kind == netconfFilter && family == "ipv4" && v.ns != "":
			s.Name = "rp_filter"
		default:
			continue
		}
		v.state.Add(s)
	}
}

// procPath is the file of a setting. It shows the namespace of the thread that
// opens it.
func procPath(s plan.Sysctl) string { return "/proc/sys/" + s.Path() }

// setSysctls writes settings in one visit to the namespace, up to the first that
// fails. A setting goes with its link, so there is nothing to delete.
func (a *applier) setSysctls(ops []plan.Op) []error {
	var errs []error
	err := a.k.ns.Do(func() error {
		for _, op := range ops {
			var err error
			if s := op.Object.(plan.Sysctl); op.Verb != plan.Del {
				err = writeSysctl(s)
			}
			if errs = append(errs, err); err != nil {
				break
			}
		}
		return nil
	})
	if err != nil {
		return append(errs, err)[:1]
	}
	return errs
}

// writeSysctl writes without O_CREATE and O_TRUNC, which /proc has no use for.
func writeSysctl(s plan.Sysctl) error {
	f, err := os.OpenFile(procPath(s), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(s.Value)
	return err
}
