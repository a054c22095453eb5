package plan_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// changer changes one of the values a Service consists of: the one that is
// reached after skip others.
type changer struct {
	skip int
	what string // what was changed, "" = there are no more values
}

// try changes the present value, unless others come first.
func (c *changer) try(path string, change func()) {
	if c.what != "" {
		return
	}
	if c.skip--; c.skip < 0 {
		c.what = path
		change()
	}
}

func (c *changer) walk(path string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case netip.Addr:
		other := netip.MustParseAddr("203.0.113.77")
		c.try(path, func() { v.Set(reflect.ValueOf(other)) })
		return
	case netip.Prefix:
		c.try(path, func() { v.Set(reflect.ValueOf(netip.MustParsePrefix("203.0.113.64/27"))) })
		return
	case netip.AddrPort:
		c.try(path, func() { v.Set(reflect.ValueOf(netip.AddrPortFrom(x.Addr(), x.Port()+1))) })
		return
	case spec.MAC:
		c.try(path, func() { x[5]++; v.Set(reflect.ValueOf(x)) })
		return
	}
	switch v.Kind() {
	case reflect.String:
		c.try(path, func() { v.SetString(v.String() + "x") })
	case reflect.Bool:
		c.try(path, func() { v.SetBool(!v.Bool()) })
	case reflect.Int, reflect.Int64:
		c.try(path, func() { v.SetInt(v.Int() + 1) })
	case reflect.Uint16:
		c.try(path, func() { v.SetUint(v.Uint() + 1) })
	case reflect.Pointer:
		if !v.IsNil() {
			c.walk(path, v.Elem())
			c.try(path+" = nil", func() { v.SetZero() })
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.walk(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
		if v.Len() > 0 {
			c.try(path+" shorter", func() { v.Set(v.Slice(0, v.Len()-1)) })
		}
	case reflect.Map:
		c.entries(path, v)
	default:
		panic("no test changes a " + v.Type().String())
	}
}

func (c *changer) entries(path string, v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		at := fmt.Sprintf("%s[%q]", path, key.String())
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(key))
		c.walk(at, value)
		v.SetMapIndex(key, value)
		c.try(at+" removed", func() { v.SetMapIndex(key, reflect.Value{}) })
	}
}

// Every value of every service of the golden cases is changed alone: each time the
// service must print other lines.
func TestServicesThatDifferPrintDifferentLines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/services/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	changes := 0
	for _, file := range files {
		build := func() []plan.Service { return servicesOf(t, file) }
		for i, service := range build() {
			before := lines(service.Lines())
			if again := lines(build()[i].Lines()); again != before {
				t.Errorf("%s: equal services print\n%sand\n%s", file, before, again)
			}
			for skip := 0; ; skip++ {
				other, c := build()[i], changer{skip: skip}
				c.walk(service.Network, reflect.ValueOf(&other).Elem())
				if c.what == "" {
					break
				}
				if changes++; lines(other.Lines()) == before {
					t.Errorf("%s: a change of %s does not show", file, c.what)
				}
			}
		}
	}
	if changes < 1000 {
		t.Errorf("only %d changes were tried", changes)
	}
}

func servicesOf(t *testing.T, file string) []plan.Service {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse(text).Files {
		if f.Name == "spec.json" {
			return plan.Services(readSpec(t, string(f.Data)), plan.Facts{IPv6: true, Links: map[string]plan.Link{"br0": {Name: "br0", Type: "bridge"}}})
		}
	}
	t.Fatalf("%s has no spec", file)
	return nil
}
