package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// lookup is FR_ACT_TO_TBL: a rule that names a table.
const lookup = 1

// rule is a rule of policy routing as the kernel tells it.
type rule struct {
	plan.Rule
	proto int
	other bool // it says more than plan knows
}

// rules lists the rules of both families.
func (k *Kernel) rules() ([]rule, error) {
	msgs, err := k.dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, &nl.RtMsg{})
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	return parsed(msgs, parseRule), nil
}

// parseRule reads one rule (struct fib_rule_hdr); ok is false for those of neither
// IPv4 nor IPv6.
func parseRule(m []byte) (r rule, ok bool) {
	if len(m) < unix.SizeofRtMsg || m[0] != unix.AF_INET && m[0] != unix.AF_INET6 {
		return r, false
	}
	r.Family, r.Table = "ipv4", int(m[4])
	if m[0] == unix.AF_INET6 {
		r.Family = "ipv6"
	}
	r.other = m[1] != 0 || m[3] != 0 || m[7] != lookup || native.Uint32(m[8:])&unix.FIB_RULE_INVERT != 0
	for kind, v := range attrs(m[unix.SizeofRtMsg:]) {
		r.parse(kind, v, int(m[2]))
	}
	return r, true
}

func (r *rule) parse(kind int, v []byte, bits int) {
	switch kind {
	case unix.FRA_PRIORITY:
		r.Priority = number(v)
	case unix.FRA_TABLE:
		r.Table = number(v)
	case unix.FRA_FWMARK:
		r.FwMark = uint32(number(v))
	case unix.FRA_SRC:
		if from, ok := netip.AddrFromSlice(v); ok {
			r.From = netip.PrefixFrom(from, bits)
		}
	case unix.FRA_PROTOCOL:
		if len(v) > 0 {
			r.proto = int(v[0])
		}
	case unix.FRA_FWMASK:
		r.other = r.other || uint32(number(v)) != 1<<32-1
	case unix.FRA_SUPPRESS_PREFIXLEN:
		r.other = r.other || number(v) != -1
	case unix.FRA_IIFNAME, unix.FRA_OIFNAME, unix.FRA_DST, unix.FRA_GOTO, unix.FRA_TUN_ID, unix.FRA_SUPPRESS_IFGROUP,
		unix.FRA_L3MDEV, unix.FRA_UID_RANGE, unix.FRA_IP_PROTO, unix.FRA_SPORT_RANGE, unix.FRA_DPORT_RANGE:
		r.other = true
	}
}

// observeRules leaves out those that the kernel made and those plan has no words
// for.
func (k *Kernel) observeRules(v *view) error {
	list, err := k.rules()
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.other || r.proto == unix.RTPROT_KERNEL {
			continue
		}
		if r.NS = v.ns; r.proto == protocol {
			r.Mark = v.home
		}
		v.state.Add(r.Rule)
	}
	return nil
}

func (a *applier) addRule(r plan.Rule) error {
	if err := checkRule(r); err != nil {
		return err
	}
	err := a.k.change(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ruleRequest(r)...)
	return unlessGone(err, unix.EEXIST)
}

// delRule removes a rule that is there. Looking first is needed because the kernel
// takes what is not said for anything.
func (a *applier) delRule(r plan.Rule) error {
	list, err := a.k.rules()
	if err != nil {
		return err
	}
	for _, have := range list {
		have.Mark, have.NS = r.Mark, r.NS
		if have.Rule == r && !have.other && have.proto == protocol {
			err := a.k.change(unix.RTM_DELRULE, 0, ruleRequest(r)...)
			return unlessGone(err, unix.ENOENT)
		}
	}
	return nil
}

// ruleRequest describes a rule; struct rtmsg has the layout of fib_rule_hdr.
func ruleRequest(r plan.Rule) []nl.NetlinkRequestData {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Type: lookup}}
	if r.Family == "ipv6" {
		msg.Family = unix.AF_INET6
	}
	data := []nl.NetlinkRequestData{
		msg,
		attr32(unix.FRA_PRIORITY, r.Priority),
		attr32(unix.FRA_TABLE, r.Table),
		attr(unix.FRA_PROTOCOL, []byte{protocol}),
	}
	if r.FwMark != 0 {
		data = append(data, attr32(unix.FRA_FWMARK, int(r.FwMark)))
	}
	if r.From.IsValid() {
		msg.Src_len = uint8(r.From.Bits())
		data = append(data, attr(unix.FRA_SRC, r.From.Masked().Addr().AsSlice()))
	}
	return data
}

// checkRule refuses what cannot be a rule before the kernel sees it.
func checkRule(r plan.Rule) error {
	switch {
	case r.Family != "ipv4" && r.Family != "ipv6":
		return fmt.Errorf("family %q is neither ipv4 nor ipv6", r.Family)
	case r.From.IsValid() && r.From.Addr().Is4() != (r.Family == "ipv4"):
		return fmt.Errorf("source %s is not of family %s", r.From, r.Family)
	case r.Table <= 0:
		return errors.New("names no table")
	}
	return nil
}
