package plan_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// observe reads lines as State prints them into the machine, as what is there.
// Besides, a line may be
//
//	host [old|noipv6] [forwards4] [forwards6]   loopback and the settings of all links
//	device NAME [TYPE]                          a foreign link that is up
//	learned route …                             a route from a router advertisement
//	foreign addr|route …                        on a link of ours, but not ours
//	borrowed KEY = VALUE                        in the loop's record
//	program FINGERPRINT                         the one the loop has
//	guest NETWORK NAME ADDRESS                  what a guest has got by DHCP
//	acquired ROUTER/UPLINK PREFIX GATEWAY       what an uplink has got
//	half LINK                                   the namespace of its other end is gone, but not the link
//	- LINE                                      not there any more
//
// A line about a namespace begins with netns and its name, as State prints it.
func (m *machine) observe(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if err := m.observeLine(line); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
	}
	return nil
}

func (m *machine) observeLine(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	f := strings.Fields(rest)
	switch verb {
	case "half":
		delete(m.pairs, m.pairs[where{"", f[0]}])
		delete(m.pairs, where{"", f[0]})
		return m.setNetns(plan.Del, plan.Netns{Name: strings.SplitN(f[0], "-", 2)[0]})
	case "host":
		m.host(rest)
	case "device":
		l := plan.Link{Name: f[0], Type: "device", MTU: 1500}
		if l.MAC = spec.GenerateMAC(l.Name); len(f) > 1 {
			l.Type = f[1]
		}
		m.plug(l)
		m.state.Add(plan.Up{Link: l.Name})
	case "borrowed":
		m.record[f[0]] = strings.Join(f[2:], "")
	case "program":
		m.program = rest
	case "guest":
		if m.guests[f[0]] == nil {
			m.guests[f[0]] = map[string][]netip.Addr{}
		}
		m.guests[f[0]][f[1]] = append(m.guests[f[0]][f[1]], netip.MustParseAddr(f[2]))
	case "acquired":
		m.acquired[f[0]] = plan.Acquired{Address: netip.MustParsePrefix(f[1]), Gateway: netip.MustParseAddr(f[2])}
	case "netns":
		return m.observeInside(line)
	case "learned", "foreign":
		o, err := m.object(rest)
		if err != nil {
			return err
		}
		m.state.Add(disown(o))
		m.learned[o.Key()] = verb == "learned"
	case "-":
		return m.gone(rest)
	default:
		o, err := m.object(line)
		if err != nil {
			return err
		}
		m.state.Add(o)
		m.clock++
		m.born[o.Key()] = m.clock
	}
	return nil
}

// observeInside reads a line about a namespace, or about something in one.
func (m *machine) observeInside(line string) error {
	ns, rest := cutNetns(line)
	foreign := strings.HasPrefix(rest, "foreign ")
	o, err := m.objectIn(ns, strings.TrimPrefix(rest, "foreign "))
	if foreign && err == nil {
		o = disown(o)
	}
	if err == nil {
		m.state.Add(o)
	}
	return err
}

func disown(o plan.Object) plan.Object {
	switch o := o.(type) {
	case plan.Addr:
		o.Mark = ""
		return o
	case plan.Route:
		o.Mark = ""
		return o
	}
	return o
}

// host adds what every host has.
func (m *machine) host(words string) {
	one := func(word string) string {
		if strings.Contains(words, word) {
			return "1"
		}
		return "0"
	}
	all, lo := plan.Link{Name: "all"}, plan.Link{Name: "lo"}
	m.setting(all, "ipv4", "forwarding="+one("forwards4"))
	if !strings.Contains(words, "noipv6") {
		m.setting(all, "ipv6", "forwarding="+one("forwards6"))
		if !strings.Contains(words, "old") {
			m.setting(lo, "ipv6", "force_forwarding=0")
		}
	}
	m.plug(plan.Link{Name: "lo", Type: "loopback", MTU: 65536})
	m.state.Add(plan.Up{Link: "lo"})
}

// gone removes an object as somebody's ip or nft command would.
func (m *machine) gone(line string) error {
	ns, line := cutNetns(line)
	if line == "ruleset" {
		return m.setProgram(plan.Del, plan.Program{NS: ns})
	}
	if name, ok := strings.CutPrefix(line, "link "); ok && !strings.Contains(name, " ") {
		l, there := m.state.Link(ns, name)
		if !there {
			return fmt.Errorf("there is no link %s", name)
		}
		return m.delLink(l)
	}
	o, err := m.objectIn(ns, line)
	if err != nil {
		return err
	}
	if _, there := m.state[o.Key()]; !there {
		return fmt.Errorf("there is no %s", o)
	}
	return m.apply(plan.Op{Verb: plan.Del, Object: o})
}

// object reads one line of State.String.
func (m *machine) object(line string) (plan.Object, error) {
	ns, line := cutNetns(line)
	return m.objectIn(ns, line)
}

// cutNetns cuts the namespace off a line that is about something in one.
func cutNetns(line string) (ns, rest string) {
	if f := strings.SplitN(line, " ", 3); len(f) == 3 && f[0] == "netns" && f[1] != "" {
		return f[1], f[2]
	}
	return "", line
}

func (m *machine) objectIn(ns, line string) (plan.Object, error) {
	f := strings.Fields(line)
	switch f[0] {
	case "netns":
		return plan.Netns{Name: f[1]}, nil
	case "link":
		if len(f) == 3 && f[2] == "up" {
			return plan.Up{Mark: m.mark(ns, f[1]), NS: ns, Link: f[1]}, nil
		}
		return parseLink(ns, f)
	case "addr":
		p, err := netip.ParsePrefix(f[1])
		return plan.Addr{Mark: m.mark(ns, f[3]), NS: ns, Link: f[3], Prefix: p}, err
	case "route":
		return m.route(ns, f)
	case "sysctl":
		p := strings.Split(f[1], "/")
		return plan.Sysctl{Mark: m.mark(ns, p[3]), NS: ns, Family: p[1], Link: p[3], Name: p[4], Value: f[3]}, nil
	case "element":
		id, value, _ := strings.Cut(strings.Trim(strings.Join(f[2:], " "), "{ }"), " : ")
		return plan.Element{Mark: "host", NS: ns, Map: f[1], ID: id, Value: value}, nil
	case "chain":
		return plan.Chain{Mark: "host", NS: ns, Name: f[1], Digest: f[len(f)-2]}, nil
	case "port":
		return plan.Isolation{Mark: m.mark(ns, f[1]), NS: ns, Link: f[1], On: true}, nil
	case "detour":
		r := plan.Redirect{Mark: "host", NS: ns, Link: f[2], To: strings.Replace(f[len(f)-1], "nowhere", "", 1)}
		if r.Sent = f[2] == "what"; r.Sent {
			r.Link = f[3]
		}
		return r, nil
	case "table":
		return plan.Program{NS: ns, Fingerprint: f[len(f)-1]}, nil
	}
	return nil, fmt.Errorf("unknown object")
}

func (m *machine) mark(ns, link string) plan.Mark {
	l, _ := m.state.Link(ns, link)
	return l.Mark
}

func (m *machine) route(ns string, f []string) (plan.Object, error) {
	w := words(f[2:])
	dst, err := netip.ParsePrefix(f[1])
	via, _ := netip.ParseAddr(w["via"])
	metric, _ := strconv.Atoi(w["metric"])
	table, _ := strconv.Atoi(w["table"])
	return plan.Route{Mark: m.mark(ns, w["dev"]), NS: ns, Dst: dst, Via: via, Link: w["dev"], Metric: metric, Table: table}, err
}

func parseLink(ns string, f []string) (plan.Object, error) {
	w := words(f[2:])
	l := plan.Link{Mark: plan.Mark(w["owner"]), NS: ns, Name: f[1], Type: w["type"], Master: w["master"], Lower: w["lower"], Sharing: w["mode"], STP: w["stp"] == "on"}
	l.MTU, _ = strconv.Atoi(w["mtu"])
	l.ForwardDelay, _ = spec.ParseSeconds(w["forward_delay"])
	if w["mac"] == "" {
		return l, nil
	}
	mac, err := spec.ParseMAC(w["mac"])
	l.MAC = mac
	return l, err
}

func words(f []string) map[string]string {
	w := map[string]string{}
	for i := 0; i+1 < len(f); i += 2 {
		w[f[i]] = f[i+1]
	}
	return w
}
