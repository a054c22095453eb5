package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// decode reads the body of a request. Fields nobody knows are refused, so that
// a misspelled one does not silently do nothing.
func decode[T any](r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the JSON value")
		}
	}
	return v, badRequest(err)
}

// badRequest tells a client what is wrong with its body.
func badRequest(err error) error {
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return tooLarge
	case err == io.EOF:
		return &Error{Code: CodeInvalid, Message: "read the request: it has no body"}
	}
	return &Error{Code: CodeInvalid, Message: "read the request: " + strings.TrimPrefix(err.Error(), "json: ")}
}

// missing refuses a body without a field that every Service relies on.
func missing(field string) error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("read the request: field %q is missing", field)}
}

// tooLarge refuses a body above MaxBody.
var tooLarge = &Error{Code: CodeInvalid, Message: fmt.Sprintf("the request is larger than %d MiB; split the files", MaxBody>>20)}

// encode is json.Marshal without the escapes that only HTML needs: "->" stays
// readable and small.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// reply writes an answer. What cannot be encoded is answered as an error,
// because nothing has been written yet.
func reply(w http.ResponseWriter, status int, v any) {
	b, err := encode(v)
	if err != nil {
		status = http.StatusInternalServerError
		b, _ = encode(&Error{Code: CodeInternal, Message: fmt.Sprintf("encode the answer: %v", err)})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b) // the client has gone when this fails: nobody is left to tell
}

// fail writes an error.
func fail(w http.ResponseWriter, err error) {
	e := AsError(err)
	status := map[string]int{
		CodeInvalid:  http.StatusBadRequest,
		CodeNotFound: http.StatusNotFound,
		CodeConflict: http.StatusConflict,
	}[e.Code]
	switch {
	case e == tooLarge:
		status = http.StatusRequestEntityTooLarge
	case status == 0:
		status = http.StatusInternalServerError
	}
	reply(w, status, e)
}

// outerMessage is the text of err with the message of the Error inside it in
// the place of its whole text: the problems travel apart from the message.
func outerMessage(err error, inner *Error) string {
	return strings.Replace(err.Error(), inner.Error(), inner.Message, 1)
}
