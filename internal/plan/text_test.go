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
//	- LINE                                      not there any more
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
	m.setting("", "ipv4", "all", "forwarding="+one("forwards4"))
	if !strings.Contains(words, "noipv6") {
		m.setting("", "ipv6", "all", "forwarding="+one("forwards6"))
		if !strings.Contains(words, "old") {
			m.setting("", "ipv6", "lo", "force_forwarding=0")
		}
	}
	m.plug(plan.Link{Name: "lo", Type: "loopback", MTU: 65536})
	m.state.Add(plan.Up{Link: "lo"})
}

// gone removes an object as somebody's ip or nft command would.
func (m *machine) gone(line string) error {
	if line == "ruleset" {
		return m.setProgram(plan.Del, plan.Program{})
	}
	if name, ok := strings.CutPrefix(line, "link "); ok && !strings.Contains(name, " ") {
		l, there := m.state.Link("", name)
		if !there {
			return fmt.Errorf("there is no link %s", name)
		}
		return m.delLink(l)
	}
	o, err := m.object(line)
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
	f := strings.Fields(line)
	switch f[0] {
	case "link":
		if len(f) == 3 && f[2] == "up" {
			return plan.Up{Mark: m.mark(f[1]), Link: f[1]}, nil
		}
		return parseLink(f)
	case "addr":
		p, err := netip.ParsePrefix(f[1])
		return plan.Addr{Mark: m.mark(f[3]), Link: f[3], Prefix: p}, err
	case "route":
		return m.route(f)
	case "sysctl":
		p := strings.Split(f[1], "/")
		return plan.Sysctl{Mark: m.mark(p[3]), Family: p[1], Link: p[3], Name: p[4], Value: f[3]}, nil
	case "element":
		id, value, _ := strings.Cut(strings.Trim(strings.Join(f[2:], " "), "{ }"), " : ")
		return plan.Element{Mark: "host", Map: f[1], ID: id, Value: value}, nil
	case "table":
		return plan.Program{Fingerprint: f[len(f)-1]}, nil
	}
	return nil, fmt.Errorf("unknown object")
}

func (m *machine) mark(link string) plan.Mark {
	l, _ := m.state.Link("", link)
	return l.Mark
}

func (m *machine) route(f []string) (plan.Object, error) {
	w := words(f[2:])
	dst, err := netip.ParsePrefix(f[1])
	via, _ := netip.ParseAddr(w["via"])
	metric, _ := strconv.Atoi(w["metric"])
	return plan.Route{Mark: m.mark(w["dev"]), Dst: dst, Via: via, Link: w["dev"], Metric: metric}, err
}

func parseLink(f []string) (plan.Object, error) {
	w := words(f[2:])
	l := plan.Link{Mark: plan.Mark(w["owner"]), Name: f[1], Type: w["type"], Master: w["master"], STP: w["stp"] == "on"}
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
