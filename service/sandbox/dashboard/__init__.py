"""The operator's pages: companies, sites, connections and bills; the wizard that they embed is in `hosted`."""
