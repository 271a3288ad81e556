package main

import (
	"encoding/json"
	"net/http"
	"net/http/cgi"
)

func hello(w http.ResponseWriter, r *http.Request) {
	who := r.URL.Query().Get("name")
	if who == "" {
		who = "world"
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"hello": who})
}

func main() {
	cgi.Serve(http.HandlerFunc(hello))
}
