package manage

import (
	"strings"
	"testing"

	"kvmnet/internal/api"
)

func text(s string) *string { return &s }

func TestTitleAndDescriptionHaveTwoCopies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.apply("networks: {lab: {mode: isolated, title: old, description: long}, off: {mode: isolated, autostart: false}}")
	r.ok(r.DescribeNetwork(ctx, "lab", api.NetworkWords{Title: text("live")}))
	r.is("lab", "running persistent pending")
	r.ok(r.DescribeNetwork(ctx, "lab", api.NetworkWords{Copies: api.Copies{Config: true}, Title: text("next"), Description: text("")}))
	n, err := r.Network(ctx, "lab")
	r.ok(err)
	if n.Spec.Title != "live" || n.Spec.Description != "long" || n.Definition.Title != "next" || n.Definition.Description != "" {
		t.Errorf("live %+v, next %+v", n.Spec, n.Definition)
	}
	r.ok(r.DescribeNetwork(ctx, "lab", api.NetworkWords{Copies: api.Copies{Live: true, Config: true}, Title: text("both"), Description: text("a\nb")}))
	r.is("lab", "running persistent")
	r.ok(r.DescribeNetwork(ctx, "off", api.NetworkWords{Title: text("off")}))
	if off, _ := r.Network(ctx, "off"); off.Spec.Title != "off" || off.Status.Autostart {
		t.Errorf("off is %+v", off.Spec)
	}
	r.untouched(func() {
		r.said(r.DescribeNetwork(ctx, "off", api.NetworkWords{Title: text("a\nb")}), api.ReasonBadUpdate, "metadata title can't contain newlines")
		r.ok(r.DescribeNetwork(ctx, "off", api.NetworkWords{}))
	})
}

func TestMetadataIsAnElementOfEachNamespace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	live, config := api.Copies{Live: true}, api.Copies{Config: true}
	r.apply("networks: {lab: {mode: isolated}}")
	set := func(c api.Copies, uri, key string, xml *string) error {
		return r.SetMetadata(ctx, "lab", api.MetadataChange{Copies: c, URI: uri, Key: key, XML: xml})
	}
	get := func(c api.Copies, uri, want string) {
		t.Helper()
		if got, err := r.Metadata(ctx, "lab", uri, c); err != nil || got != want {
			t.Errorf("%s %+v: got %q, %v; want %q", uri, c, got, err, want)
		}
	}
	none := func(c api.Copies, uri string) {
		t.Helper()
		_, err := r.Metadata(ctx, "lab", uri, c)
		r.said(err, api.ReasonNoMetadata, "network lab has no metadata of "+uri)
	}
	none(live, "urn:x")
	r.ok(set(live, "urn:x", "k", text("<a q='1'>t</a>")))
	get(live, "urn:x", `<a q="1">t</a>`)
	get(api.Copies{}, "urn:x", `<a q="1">t</a>`)
	none(config, "urn:x")
	r.ok(set(config, "urn:x", "k", text("<next/>")))
	r.ok(set(config, "urn:y", "j", text("<y/>")))
	get(config, "urn:x", "<next/>")
	xml, err := r.NetworkXML(ctx, "lab", true)
	r.ok(err)
	if !strings.Contains(xml, "  <metadata>\n    <k:next xmlns:k=\"urn:x\"/>\n    <j:y xmlns:j=\"urn:y\"/>\n  </metadata>\n") {
		t.Errorf("the definition is %s", xml)
	}
	r.ok(set(config, "urn:x", "", nil))
	r.ok(set(config, "urn:nothing", "", nil))
	none(config, "urn:x")
	get(config, "urn:y", "<y/>")
	get(live, "urn:x", `<a q="1">t</a>`)
	r.untouched(func() {
		r.said(set(live, "urn:z", "z", text("nonsense")), api.ReasonBadUpdate, "(metadata_xml):1: Start tag expected, '<' not found\nnonsense\n^")
		r.said(set(live, "urn:z", "1z", text("<a/>")), api.ReasonBadUpdate, "internal error: failed to validate prefix for a new XML namespace")
		r.said(set(live, "urn:z", "z", text("<z:a xmlns:z='urn:z'/>")), api.ReasonBadUpdate, "internal error: failed to create a new XML namespace")
	})
}

func TestWordsAreToldAsLibvirtTellsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}")
	c := r.events.listen()
	defer r.events.leave(c)
	r.ok(r.DescribeNetwork(t.Context(), "lab", api.NetworkWords{Title: text("t"), Description: text("d")}))
	r.ok(r.SetMetadata(t.Context(), "lab", api.MetadataChange{URI: "urn:x", Key: "k", XML: text("<a/>")}))
	r.refused(r.DescribeNetwork(t.Context(), "nil", api.NetworkWords{Title: text("t")}), api.CodeNotFound)
	var got []string
	for len(c) > 0 {
		if e := <-c; e.Type == "metadata-change" {
			got = append(got, e.Object+" "+e.Message)
		} else if e.Life != "" {
			t.Errorf("told %+v", e)
		}
	}
	if want := "network/lab title, network/lab description, network/lab element urn:x"; strings.Join(got, ", ") != want {
		t.Errorf("told %q, want %s", got, want)
	}
}
