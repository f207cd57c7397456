"""Settings of the API in the style of GlobalSign Atlas."""

from ca_sim.setting import Port, Section, setting


class GlobalsignSettings(Section):
    """[globalsign]."""

    port: Port = setting(14011, unit="TCP port", help="Port of this API (HTTPS with client certificates); 0 takes a free one.")
