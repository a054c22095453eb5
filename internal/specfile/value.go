package specfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalar reads a node into a string, a number or a boolean. Strings take the
// text of any plain scalar, so that `owner: 1000` is the text 1000.
func (d *decoder) scalar(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.wrongKind(path, n, v.Type())
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		d.boolean(path, n, v)
	default:
		d.number(path, n, v)
	}
}

// boolean follows YAML 1.2: true and false, without quotes. What YAML 1.1 also
// took for booleans is refused, because half of all readers take it for text.
func (d *decoder) boolean(path string, n *yaml.Node, v reflect.Value) {
	if n.Tag == "!!bool" {
		if b, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			v.SetBool(b)
			return
		}
	}
	hint := "write true or false"
	switch strings.ToLower(n.Value) {
	case "yes", "y", "on", "1", "enable", "enabled":
		hint = "write true"
	case "no", "n", "off", "0", "disable", "disabled":
		hint = "write false"
	case "true", "false":
		hint = "remove the quotes"
	}
	d.fault(n, path, fmt.Sprintf("%q is not a boolean", n.Value), hint)
}

func (d *decoder) number(path string, n *yaml.Node, v reflect.Value) {
	i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
	switch {
	case err != nil:
		d.fault(n, path, fmt.Sprintf("%q is not a whole number", n.Value), "")
	case n.Tag != "!!int":
		d.fault(n, path, fmt.Sprintf("%q is text, a number is needed", n.Value), "remove the quotes")
	default:
		v.SetInt(i)
	}
}

// text reads a scalar into a value with a text form of its own.
func (d *decoder) text(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.wrongKind(path, n, v.Type())
		return
	}
	if n.Value == "" {
		d.fault(n, path, "the value is empty", "write "+article(v.Type()))
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		message, hint := explain(n.Value, v.Type(), err)
		d.fault(n, path, message, hint)
	}
}
