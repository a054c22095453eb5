package specfile

import (
	"fmt"
	"strings"
	"testing"
)

// manyNetworks is a file with n networks as people write them.
func manyNetworks(n int) []byte {
	var b strings.Builder
	b.WriteString("networks:\n")
	for i := range n {
		gateway := fmt.Sprintf("10.%d.%d", i>>8, i&255)
		fmt.Fprintf(&b, "  net%04d:\n    mode: nat\n    subnets:\n      - address: %s.1/24\n        dhcp:\n          ranges: [%s.10-%s.200]\n", i, gateway, gateway, gateway)
	}
	return []byte(b.String())
}

func BenchmarkParseAndValidate1000Networks(b *testing.B) {
	text := manyNetworks(1000)
	for b.Loop() {
		f, _ := Parse("many.yaml", text)
		if problems := f.Validate(nil); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	}
}

func BenchmarkFormat1000Networks(b *testing.B) {
	f, _ := Parse("many.yaml", manyNetworks(1000))
	for b.Loop() {
		Format(f.Spec)
	}
}
