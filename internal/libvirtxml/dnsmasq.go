package libvirtxml

import (
	"strings"

	"kvmnet/internal/spec"
)

// dnsmasqLine is a line of dnsmasq's configuration: a keyword, and what stands behind
// the equals sign, cut at its commas.
type dnsmasqLine struct {
	key    string
	fields []string
}

// parseDnsmasqLine reads a line as dnsmasq does: # begins a comment where a word could
// begin, double quotes keep commas and blanks together, and in them a backslash the
// next character. It is false for a line that says nothing.
func parseDnsmasqLine(text string) (dnsmasqLine, bool) {
	key, value, valued := strings.Cut(text, "=")
	if comment := commentAt(key); comment >= 0 {
		key, valued = key[:comment], false
	}
	l := dnsmasqLine{key: strings.TrimSpace(key)}
	if valued {
		l.fields = cutFields(value)
	}
	return l, l.key != ""
}

// commentAt is where a comment begins, -1 when there is none.
func commentAt(s string) int {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			return i
		}
	}
	return -1
}

// cutFields cuts a value at the commas that are not in quotes.
func cutFields(value string) []string {
	var fields []string
	var field strings.Builder
	quoted, escape, before := false, false, ' '
	end := func() {
		fields = append(fields, strings.TrimSpace(field.String()))
		field.Reset()
	}
	for _, r := range value {
		switch {
		case escape:
			field.WriteRune(unescaped(r))
			escape = false
		case r == '\\' && quoted:
			escape = true
		case r == '"':
			quoted = !quoted
		case r == '#' && !quoted && (before == ' ' || before == '\t'):
			end()
			return fields
		case r == ',' && !quoted:
			end()
		default:
			field.WriteRune(r)
		}
		before = r
	}
	end()
	return fields
}

// unescaped is what a character behind a backslash stands for.
func unescaped(r rune) rune {
	switch r {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'b':
		return '\b'
	case 'r':
		return '\r'
	case 'e':
		return '\033'
	}
	return r
}

// lines reads dnsmasq:options: what kvmnet has, it takes over; of the rest it tells.
// Every line is kept as it is.
func (t *translation) lines() {
	alone := !asks(t.to)
	t.readTags(t.from.DnsmasqLines)
	for _, when := range []stage{grounds, most, limits} {
		for i, line := range t.from.DnsmasqLines {
			t.line(linePlace(i), line, when)
		}
		if alone && when == most && asks(t.to) {
			t.forwardAll() // now there is somebody to ask
		}
	}
}

// linePlace is where a line stands in the document.
func linePlace(i int) string { return at("options[0]/option", i) + "@value" }

// stage is when a line is read: dnsmasq cares for no order.
type stage int

const (
	grounds stage = iota // what others build on: where there is DHCP, a directory, a domain
	most
	limits // who is not asked: it has to be known who is
)

// stages are those of lines that are not read with most.
var stages = map[string]stage{
	"dhcp-range": grounds, "tftp-root": grounds, "domain": grounds, "no-resolv": limits, "domain-needed": limits, "bogus-priv": limits,
}

func stageOf(key string) stage {
	if s, has := stages[key]; has {
		return s
	}
	return most
}

// line reads one line, if this is when; an option may be several.
func (t *translation) line(place, text string, when stage) {
	for part := range strings.SplitSeq(text, "\n") {
		l, ok := parseDnsmasqLine(part)
		if !ok || when != stageOf(l.key) {
			continue
		}
		read, known := dnsmasqKeys[l.key]
		if !known {
			t.noLine(place, l, unknownKey(l.key))
			continue
		}
		if because := read(t, place, l.fields); because != "" {
			t.noLine(place, l, because)
		}
	}
}

func (t *translation) noLine(place string, l dnsmasqLine, because string) {
	t.say(place, "", "%s of dnsmasq is kept, but not supported here, because %s", l.key, because)
}

func unknownKey(key string) string {
	if because, told := dnsmasqLacking[key]; told {
		return because
	}
	for known := range dnsmasqKeys {
		if spec.Nearest(key, []string{known}) != "" {
			return "kvmnet does not know it; did you mean " + known + "?"
		}
	}
	return "kvmnet does not know it"
}

// dnsmasqReader takes a line's fields over. What it returns is why it cannot.
type dnsmasqReader func(t *translation, place string, fields []string) (because string)

// always is for what is so here without a word.
func always(*translation, string, []string) string { return "" }

var dnsmasqKeys map[string]dnsmasqReader

func init() {
	dnsmasqKeys = map[string]dnsmasqReader{
		"address": (*translation).lineAddress, "host-record": (*translation).lineHost, "cname": (*translation).lineCNAME,
		"server": (*translation).lineServer, "local": (*translation).lineServer, "auth-zone": (*translation).lineZone,
		"domain": (*translation).lineDomain, "txt-record": (*translation).lineText, "srv-host": (*translation).lineService,
		"mx-host": (*translation).lineMail, "cache-size": (*translation).lineCache, "local-ttl": (*translation).lineTTL,
		"no-resolv": (*translation).lineAlone, "domain-needed": (*translation).linePlain, "bogus-priv": (*translation).lineReverse,

		"dhcp-option": (*translation).lineOption, "dhcp-option-force": (*translation).lineOption,
		"dhcp-boot": (*translation).lineBoot, "tftp-root": (*translation).lineTFTP, "dhcp-host": (*translation).lineReservation,
		"dhcp-range": (*translation).lineRange, "dhcp-match": (*translation).lineMatch,
		"dhcp-vendorclass": (*translation).lineMatch, "dhcp-userclass": (*translation).lineMatch,

		"expand-hosts": always, "no-hosts": always, "no-poll": always, "strict-order": always, "dhcp-authoritative": always,
		"dhcp-no-override": always, "enable-tftp": always, "enable-ra": always, "bind-dynamic": always, "bind-interfaces": always,
		"no-negcache": always, "dns-loop-detect": always, "localise-queries": always,
	}
}

// dnsmasqLacking tells why kvmnet does not have what it could be thought to have.
var dnsmasqLacking = map[string]string{
	"interface": onBridge, "except-interface": onBridge, "listen-address": onBridge, "port": "DNS is served at port 53",
	"log-queries": noLogs, "log-dhcp": noLogs, "log-facility": noLogs, "log-async": noLogs,
	"conf-file": noFiles, "conf-dir": noFiles, "addn-hosts": noFiles, "hostsdir": noFiles, "dhcp-hostsfile": noFiles,
	"dhcp-hostsdir": noFiles, "dhcp-optsfile": noFiles, "dhcp-optsdir": noFiles, "resolv-file": noFiles, "servers-file": noFiles,
	"dhcp-script": "kvmnet runs no scripts for leases; see net-event", "dhcp-leasefile": "kvmnet has a lease book of its own",
	"dhcp-lease-max": "the leases of a network end with its ranges; perPort limits those of one guest",
	"pxe-service":    "kvmnet tells one file for each kind of client, by dhcp-boot", "pxe-prompt": "kvmnet shows no menus",
	"dhcp-relay": "kvmnet asks no other server for addresses", "dhcp-ignore": noTags, "dhcp-mac": noTags, "tag-if": noTags,
	"dhcp-circuitid": noTags, "dhcp-remoteid": noTags, "dhcp-subscrid": noTags, "dhcp-name-match": noTags,
	"ptr-record": "the names of addresses follow from those of hosts", "naptr-record": noRecords, "dns-rr": noRecords, "caa-record": noRecords,
	"stop-dns-rebind": "answers of others are passed on as they are", "filter-AAAA": "answers of others are passed on as they are",
	"dnssec": "kvmnet leaves the check of signatures to the resolvers it asks", "ra-param": "kvmnet has ra in its own YAML for this",
	"auth-server": noAuthority, "auth-sec-servers": noAuthority, "auth-soa": noAuthority, "auth-peer": noAuthority,
	"all-servers": "resolvers are asked one after the other",
}

const (
	onBridge    = "kvmnet serves the network's own bridge, and nothing else"
	noLogs      = "kvmnet writes no line for each question; see net-event and metrics"
	noFiles     = "kvmnet reads no other files"
	noTags      = "tags are known only of kinds of clients, for dhcp-boot"
	noRecords   = "kvmnet has no records of this type"
	noAuthority = "kvmnet answers for its networks to their own guests"
)
