package nft

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// shape is the type of a map or set of the program: what its keys and values are
// made of. A set has no values.
type shape struct {
	key      []field
	value    []field
	verdict  bool // the value is a jump to a chain
	interval bool // ports and networks of the key may be ranges
	counted  bool // elements count the packets that met them
	rate     bool // the value is a limit of frames a second, and the element breaks it
	guard    bool // it is in the table of guards
}

// shapes are the maps and sets that program.nft declares; a test compares the
// two.
var shapes = map[string]shape{
	"bridges":     {key: []field{ifname}},
	"segments":    {key: []field{ifname, ifname}},
	"routers":     {key: []field{ifname, mac}},
	"from":        {key: []field{ifname}, verdict: true},
	"to":          {key: []field{ifname}, verdict: true},
	"input":       {key: []field{ifname}, verdict: true},
	"pinned":      {key: []field{ifname}},
	"egress":      {key: []field{ifname, ifname}},
	"masquerade4": {key: []field{ifname}, counted: true},
	"masquerade6": {key: []field{ifname}, counted: true},
	"held4":       {key: []field{ifname}},
	"held6":       {key: []field{ifname}},
	"gateways4":   {key: []field{ipv4}},
	"gateways6":   {key: []field{ipv6}},
	"peered":      {key: []field{ifname, ifname}},

	"policy_from": {key: []field{ifname}, verdict: true},
	"policy_to":   {key: []field{ifname}, verdict: true},
	"policy_in":   {key: []field{ifname}, verdict: true},
	"caps":        {key: []field{ifname}, verdict: true},
	"source":      {key: []field{ifname}, verdict: true},

	"forward4":          {key: []field{proto, port}, value: []field{ipv4, port}, counted: true},
	"forward6":          {key: []field{proto, port}, value: []field{ipv6, port}, counted: true},
	"forward_at4":       {key: []field{ipv4, proto, port}, value: []field{ipv4, port}, counted: true},
	"forward_at6":       {key: []field{ipv6, proto, port}, value: []field{ipv6, port}, counted: true},
	"forward_range4":    {key: []field{proto, port}, value: []field{ipv4}, counted: true, interval: true},
	"forward_range6":    {key: []field{proto, port}, value: []field{ipv6}, counted: true, interval: true},
	"forward_range_at4": {key: []field{ipv4, proto, port}, value: []field{ipv4}, counted: true, interval: true},
	"forward_range_at6": {key: []field{ipv6, proto, port}, value: []field{ipv6}, counted: true, interval: true},
	"floating4":         {key: []field{ipv4}, value: []field{ipv4}, counted: true},
	"floating6":         {key: []field{ipv6}, value: []field{ipv6}, counted: true},
	"floating_source4":  {key: []field{ipv4}, value: []field{ipv4}, counted: true},
	"floating_source6":  {key: []field{ipv6}, value: []field{ipv6}, counted: true},

	"switches": {key: []field{ifname}},
	"own":      {key: []field{ifname, mac}},

	"steered": {key: []field{ifname}},
	"entered": {key: []field{ifname}, value: []field{mark}},
	"leaves":  {key: []field{ifname}, value: []field{mark}},

	"claims4": {key: []field{ifname, ipv4}, guard: true},
	"claims6": {key: []field{ifname, bits}, guard: true},
	"hosts":   {key: []field{ifname}, guard: true},
	"former":  {key: []field{ifname, mac}, value: []field{mac}, guard: true},

	"guarded":         {key: []field{ifname}, verdict: true, guard: true},
	"guard_mac":       {key: []field{ifname}, guard: true},
	"guard_address":   {key: []field{ifname}, guard: true},
	"guard_server":    {key: []field{ifname}, guard: true},
	"guard_tag":       {key: []field{ifname}, guard: true},
	"guard_storm":     {key: []field{ifname}, guard: true},
	"segment":         {key: []field{ifname}, value: []field{mark}, guard: true},
	"macs":            {key: []field{ifname, macBits}, guard: true},
	"anymac":          {key: []field{ifname}, guard: true},
	"kept_macs":       {key: []field{mark, macBits}, guard: true},
	"addresses4":      {key: []field{ifname, bits4}, guard: true},
	"addresses6":      {key: []field{ifname, bits}, guard: true},
	"usual4":          {key: []field{ifname, sender, bits4}, guard: true},
	"usual6":          {key: []field{ifname, sender, bits}, guard: true},
	"behind4":         {key: []field{ifname, net4}, interval: true, guard: true},
	"behind6":         {key: []field{ifname, net6}, interval: true, guard: true},
	"free4":           {key: []field{ifname}, guard: true},
	"free6":           {key: []field{ifname}, guard: true},
	"prefixes6":       {key: []field{ifname, half}, guard: true},
	"barred4":         {key: []field{ifname, bits4}, guard: true},
	"barred6":         {key: []field{ifname, bits}, guard: true},
	"kept4":           {key: []field{mark, bits4}, guard: true},
	"kept6":           {key: []field{mark, bits}, guard: true},
	"storm_broadcast": {key: []field{ifname}, rate: true, guard: true},
	"storm_multicast": {key: []field{ifname}, rate: true, guard: true},
}

// family is that of the table.
func (s shape) family() byte {
	if s.guard {
		return unix.NFPROTO_BRIDGE
	}
	return unix.NFPROTO_INET
}

// isMap reports whether elements have a value. A limit is none to the kernel.
func (s shape) isMap() bool { return s.verdict || s.value != nil }

// size is the length of a key or value in bytes.
func size(fields []field) (n int) {
	if len(fields) == 1 {
		return fields[0].width()
	}
	for _, f := range fields {
		n += f.room()
	}
	return n
}

// room is the width of a field among others: each begins at a word.
func (f field) room() int { return (f.width() + 3) &^ 3 }

// between separates the fields of a key or value, as nft prints it.
const between = " . "

// encode turns a key or value as nft prints it into the kernel's bytes: the
// lowest and, where the last port is a range, the highest.
func encode(fields []field, text string) (low, high []byte, err error) {
	words := strings.Split(text, between)
	if len(words) != len(fields) {
		return nil, nil, fmt.Errorf("%q does not read %s", text, form(fields))
	}
	for i, f := range fields {
		a, b, err := f.encode(words[i])
		if err != nil {
			return nil, nil, err
		}
		low, high = append(low, a...), append(high, b...)
		if len(fields) > 1 {
			low, high = pad(low), pad(high)
		}
	}
	return low, high, nil
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// form tells how a key or value is written.
func form(fields []field) string {
	var words []string
	for _, f := range fields {
		words = append(words, f.example())
	}
	return strings.Join(words, between)
}

// decode is the inverse of encode; high is nil where the kernel has no end.
func decode(fields []field, low, high []byte) (string, error) {
	if high == nil {
		high = low
	}
	if len(low) != size(fields) || len(high) != len(low) {
		return "", fmt.Errorf("element of %d bytes, want %d", len(low), size(fields))
	}
	var words []string
	for _, f := range fields {
		words = append(words, f.decode(low[:f.width()], high[:f.width()]))
		n := min(f.room(), len(low))
		low, high = low[n:], high[n:]
	}
	return strings.Join(words, between), nil
}

// quote writes a key for nft -f: names in quotes, since they may begin with a
// digit or hold a dot, and addresses that are bits to nft as a number.
func quote(fields []field, id string) string {
	words := strings.Split(id, between)
	for i, f := range fields {
		if i < len(words) {
			words[i] = f.quote(words[i])
		}
	}
	return strings.Join(words, between)
}
