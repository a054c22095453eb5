package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask makes one call as any program could and returns the status and the body.
func ask(h http.Handler, method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestHandlerRefusesWhatItDoesNotKnow(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"unknown field", "POST", "/v1/apply", `{"file": []}`, 400, `unknown field \"file\"`},
		{"unknown field of a spec", "POST", "/v1/ports", `{"port": {"network": "lab", "mtu": 1}}`, 400, `unknown field \"mtu\"`},
		{"wrong type", "PUT", "/v1/paused", `{"on": "yes"}`, 400, "cannot unmarshal string"},
		{"bad value", "POST", "/v1/ports", `{"port": {"network": "lab", "mac": "x"}}`, 400, "read the request"},
		{"no body", "POST", "/v1/apply", ``, 400, "it has no body"},
		{"no JSON", "POST", "/v1/verify", `networks: {}`, 400, "invalid character"},
		{"two values", "PUT", "/v1/paused", `{"on": true} {"on": false}`, 400, "something follows the JSON value"},
		{"no network", "POST", "/v1/networks", `{"name": "lab"}`, 400, `field \"network\" is missing`},
		{"no port", "POST", "/v1/ports", `{"name": "vm1"}`, 400, `field \"port\" is missing`},
		{"a field that a port does not change", "PATCH", "/v1/ports/vm1", `{"mac": "52:54:00:00:00:01"}`, 400, `unknown field \"mac\"`},
		{"a limit that is none", "PATCH", "/v1/ports/vm1", `{"bandwidth": {"in": "fast"}}`, 400, `\"fast\" is not a rate`},
		{"a cable that is neither in nor out", "PATCH", "/v1/ports/vm1", `{"unplugged": "yes"}`, 400, "cannot unmarshal string"},
		{"an address that is none", "PATCH", "/v1/ports/vm1", `{"addresses": ["10.0.0"]}`, 400, "read the request"},
		{"no change", "PATCH", "/v1/ports/vm1", ``, 400, "it has no body"},
		{"a change of no port", "PATCH", "/v1/ports/", `{}`, 404, "no such call: PATCH /v1/ports/"},
		{"a whole port", "PUT", "/v1/ports/vm1", `{}`, 404, "no such call: PUT /v1/ports/vm1"},
		{"an unknown word about a plug", "POST", "/v1/plugged", `{"name": "tap0"}`, 400, `unknown field \"name\"`},
		{"nothing to plug in", "POST", "/v1/plugged", ``, 400, "it has no body"},
		{"no interface to plug in", "POST", "/v1/plugged", `{"network": "lab"}`, 400, `field \"interface\" is missing`},
		{"no interface to take out", "DELETE", "/v1/plugged/", ``, 404, "no such call"},
		{"too large", "POST", "/v1/apply", `{"files": [{"text": "` + strings.Repeat("x", MaxBody) + `"}]}`, 413, "larger than 8 MiB"},
		{"no forward", "POST", "/v1/forwards", `{"name": "web"}`, 400, `field \"spec\" is missing`},
		{"an update too large", "POST", "/v1/networks/lab/update", `{"command": "modify", "section": "bridge", "xml": "` + strings.Repeat("x", MaxBody) + `"}`, 413, "larger than 8 MiB"},
		{"an update that says two things", "POST", "/v1/networks/lab/update", `{"command": "modify", "sections": "bridge"}`, 400, `unknown field \"sections\"`},
		{"a flag that is neither on nor off", "GET", "/v1/networks/lab/xml?inactive=perhaps", ``, 400, `inactive is true or false, not \"perhaps\"`},
		{"a copy that is neither", "GET", "/v1/networks/lab/metadata?config=2", ``, 400, "config is true or false"},
		{"leases that are no list", "POST", "/v1/networks/lab/leases", `{}`, 400, "cannot unmarshal object"},
		{"a port file of no words", "POST", "/v1/networks/lab/ports", ``, 400, "it has no body"},
		{"unknown path", "GET", "/v1/gateways", ``, 404, "no such call: GET /v1/gateways"},
		{"unknown method", "PATCH", "/v1/networks/lab", ``, 404, "no such call: PATCH /v1/networks/lab"},
		{"name missing", "DELETE", "/v1/networks/", ``, 404, "no such call"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			status, body := ask(Handler(f), test.method, test.path, test.body)
			var e Error
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code == "" {
				t.Fatalf("the answer %q is no Error", body)
			}
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("got %d %s\nwant %d with %q", status, body, test.status, test.want)
			}
			if f.lastCall() != "" {
				t.Errorf("the service saw %s", f.lastCall())
			}
		})
	}
}

func TestHandlerStatusFitsTheCode(t *testing.T) {
	for code, want := range map[string]int{CodeInvalid: 400, CodeNotFound: 404, CodeConflict: 409, CodeInternal: 500, "new": 500} {
		f := newFake()
		f.err = &Error{Code: code, Message: "m"}
		if got, body := ask(Handler(f), "GET", "/v1/status", ""); got != want || !strings.Contains(body, `"code":"`+code+`"`) {
			t.Errorf("%s: got %d %s, want %d", code, got, body, want)
		}
	}
}

func TestHandlerAnswersAnEmptyListAsOne(t *testing.T) {
	if status, body := ask(Handler(&fake{nobody: true}), "GET", "/v1/networks", ""); status != 200 || body != "[]" {
		t.Errorf("got %d %s, want []", status, body)
	}
}

func TestHandlerKeepsAnswersReadable(t *testing.T) {
	if _, body := ask(Handler(newFake()), "GET", "/v1/networks/lab", ""); !strings.Contains(body, "a -> b & <c>") {
		t.Errorf("got %s", body)
	}
}

func TestClientRefusesWhatIsTooLargeBeforeItSends(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	_, err := client(t, socket).Apply(t.Context(), ApplyRequest{Files: []File{{"a", strings.Repeat("x", MaxBody)}}})
	if err == nil || !strings.Contains(err.Error(), "larger than 8 MiB; split the files") || f.lastCall() != "" {
		t.Errorf("got %v, and the service saw %q", err, f.lastCall())
	}
	// What JSON makes longer but stays below is taken.
	if _, err := client(t, socket).Apply(t.Context(), ApplyRequest{Files: []File{{"a", strings.Repeat("<", MaxBody-100)}}}); err != nil {
		t.Error(err)
	}
}

func TestClientNamesAnAnswerThatIsNotADaemons(t *testing.T) {
	socket := t.TempDir() + "/s"
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short and stout")
	}))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	defer srv.Close()
	_, err = client(t, socket).Networks(t.Context())
	if err == nil || err.Error() != "the daemon answered 418 I'm a teapot: short and stout" {
		t.Errorf("got %v", err)
	}
}

// FuzzHandler: whatever comes in, the answer is JSON and no verb runs into a
// nil it relies on.
func FuzzHandler(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "status", ""}, {"POST", "apply", `{"files":[{"name":"a","text":"b"}]}`},
		{"POST", "networks", `{"name":"a","network":{"mode":"nat"}}`}, {"POST", "ports", `{"port":null}`},
		{"POST", "networks/define", `{"name":"f","text":"t","transient":true}`}, {"PUT", "networks/%2E/autostart", `{"on":true}`},
		{"POST", "verify", `{"networks":["a"]}`}, {"GET", "export?kind=%zz", ""}, {"DELETE", "ports/a%2Fb", ""},
		{"POST", "networks/lab/update", `{"command":"modify","section":"bridge","parent":-1,"xml":"<bridge/>"}`}, {"GET", "networks/lab/xml?inactive=1", ""},
		{"PUT", "networks/lab/metadata", `{"uri":"urn:x","xml":"<a/>"}`}, {"PUT", "networks/lab/words", `{"title":"t"}`}, {"POST", "networks/lab/leases", `[{}]`},
		{"PATCH", "ports/vm1", `{"network":"red","bandwidth":{"in":"1mbit"},"addresses":null}`}, {"POST", "plugged", `{"interface":"tap0"}`}, {"DELETE", "plugged/tap0", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://kvmnet/v1/"+path, strings.NewReader(body))
		if err != nil || r.URL.Path == "/v1/events" {
			t.Skip("no request, or one that ends with its listener only")
		}
		w := httptest.NewRecorder()
		Handler(newFake()).ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		if w.Body.Len() > 0 && w.Code != http.StatusTemporaryRedirect && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: answered %d %q", method, path, w.Code, w.Body)
		}
	})
}
