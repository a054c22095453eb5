package netfiles

import (
	"slices"
	"strings"
)

// bridge is a stanza of the bridge, that which makes it with the NIC among its ports.
func (j *joiner) bridge(b block) string {
	var text strings.Builder
	makes := b.at() == j.maker.at()
	ports, has := b.option("bridge_ports")
	for k, s := range b.statements {
		text.WriteString(j.ofBridge(s))
		if makes && (has && s.number == ports.number && k > 0 || !has && k == 0) {
			added := j.made(has)
			if len(added) > 0 {
				raw := ended(text.String())
				text.Reset()
				text.WriteString(raw + b.indent() + strings.Join(added, "\n"+b.indent()) + "\n")
			}
		}
	}
	return text.String()
}

// made are the options that are missing. Where the bridge is made by something else
// than bridge-utils, that does not look at bridge_hw.
func (j *joiner) made(has bool) []string {
	var list []string
	if !has {
		list = append(list, "bridge_ports "+j.NIC)
	}
	dash := "_"
	if s, ok := j.maker.option("bridge_ports"); ok && strings.Contains(s.keyword(), "-") {
		dash = "-"
	}
	if _, _, ok := said(j.mine, "bridge_hw"); !ok {
		list = append(list, "bridge"+dash+"hw "+j.MAC.String())
	}
	if _, _, ok := said(j.mine, "hwaddress"); !ok && !has && j.maker.method() != "auto" {
		list = append(list, "hwaddress "+j.MAC.String())
	}
	if _, _, ok := said(j.mine, "mtu"); !ok && j.alone() && j.mover.userMTU() != "" {
		list = append(list, "mtu "+j.mover.userMTU()) // which bridge-utils gives the port, too
	}
	return list
}

// ofBridge rewrites a line of the bridge: its ports and its MAC.
func (j *joiner) ofBridge(s statement) string {
	body := strings.TrimRight(s.raw, " \t\r\n")
	end := s.raw[len(body):]
	switch words := s.words; strings.ReplaceAll(s.keyword(), "-", "_") {
	case "bridge_ports":
		if slices.Equal(words[1:], []string{"none"}) {
			return strings.TrimSuffix(body, "none") + j.NIC + end
		}
		if at := lastIndexOf(words, "regex", "noregex"); at > 0 && words[at] == "regex" {
			return body + " noregex " + j.NIC + end
		}
		return body + " " + j.NIC + end
	case "bridge_hw", "hwaddress":
		if len(words) > 1 {
			return strings.TrimSuffix(body, words[len(words)-1]) + j.MAC.String() + end
		}
	}
	return s.raw
}

func lastIndexOf(words []string, of ...string) int {
	for k, w := range slices.Backward(words) {
		if slices.Contains(of, w) {
			return k
		}
	}
	return -1
}

// alone reports whether the bridge has no ports so far.
func (j *joiner) alone() bool {
	ports := strings.Fields(j.maker.value("bridge_ports"))
	return len(ports) == 0 || slices.Equal(ports, []string{"none"})
}

// said is the first option of a name in stanzas.
func said(blocks []block, key string) (block, statement, bool) {
	for _, b := range blocks {
		if s, ok := b.option(key); ok {
			return b, s, true
		}
	}
	return block{}, statement{}, false
}

// mtuOfPort is what the NIC's own stanza has to say: the bridge's is that of all its
// ports, and where that says nothing the others keep theirs.
func (j *joiner) mtuOfPort() string {
	if _, _, ok := said(j.mine, "mtu"); ok || j.alone() {
		return ""
	}
	return j.mover.userMTU()
}
