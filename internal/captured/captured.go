package captured

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Message is the payload of a datagram that a real program sent.
type Message struct {
	From, To netip.Addr
	Payload  []byte
}

// Read is every message of testdata/captured of the package under test, by the name
// of its file without .hex. It ends the test when there is none, or one that cannot
// be read.
func Read(t testing.TB) map[string]Message {
	t.Helper()
	files, err := filepath.Glob("testdata/captured/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	list := map[string]Message{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list[strings.TrimSuffix(filepath.Base(file), ".hex")] = m
	}
	return list
}

// parse reads a line that ends in ", from ADDRESS to ADDRESS", and the payload in hex.
func parse(text string) (Message, error) {
	title, digits, _ := strings.Cut(text, "\n")
	_, way, _ := strings.Cut(title, ", from ")
	from, to, _ := strings.Cut(way, " to ")
	var m Message
	var err error
	if m.From, err = netip.ParseAddr(from); err != nil {
		return m, err
	}
	if m.To, err = netip.ParseAddr(to); err != nil {
		return m, err
	}
	m.Payload, err = hex.DecodeString(strings.Join(strings.Fields(digits), ""))
	return m, err
}
