// A program with the net/http/cgi package of the standard library: any http.Handler is a function.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"strings"
)

func main() {
	err := cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s %s: %s\n", r.Method, r.URL.Path, strings.ToUpper(string(body)))
	}))
	if err != nil {
		log.Fatal(err)
	}
}
