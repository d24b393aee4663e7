"""Creates a scenario's emulated devices: a plug per consumer, an inverter per producer, a grid meter per house."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from agents import Device, House, Job
from broker import SsmicError
from scenarios.lab.appliance import EmulatedAppliance
from scenarios.lab.device import EmulatedDevice
from scenarios.lab.dtu import AhoyDtu, OpenDtu
from scenarios.lab.grid_meter import GridMeter
from scenarios.lab.inverter import EmulatedInverter
from scenarios.lab.plug import Plug
from scenarios.lab.shelly import ShellyMeter, ShellyPlug
from scenarios.lab.tasmota import TasmotaMeter, TasmotaPlug
from scenarios.lab.zigbee2mqtt import Zigbee2MqttBridge
from scenarios.scenario import Scenario

PlugKind = Literal["tasmota", "shelly", "zigbee2mqtt"]
InverterKind = Literal["opendtu", "ahoydtu"]
PLUG_KINDS: tuple[str, ...] = get_args(PlugKind)
INVERTER_KINDS: tuple[str, ...] = get_args(InverterKind)
KINDS = (*PLUG_KINDS, *INVERTER_KINDS)

FIXED_WINDOW_S = 300
"""A device whose jobs all have windows of at most this length is not controllable: its plug is on from the
beginning."""
DEFAULT_REPORT_S = 60
"""How often devices report, seconds of virtual time; at 60x once a second."""


class LabKindError(SsmicError):
    """A kind of device that the lab does not emulate."""


@dataclass(frozen=True, slots=True)
class DeviceKinds:
    """The makes of the emulated devices; with several kinds, houses use them in turn."""

    plugs: tuple[str, ...] = ("tasmota",)
    inverters: tuple[str, ...] = ("opendtu",)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> DeviceKinds:
        """Parse kinds, each text one or several separated by commas; by default plugs are Tasmota, inverters OpenDTU.

        Raises:
            LabKindError: There is no such kind, or a text names none.
        """
        names = list(dict.fromkeys(name for text in texts for name in text.replace(",", " ").split()))
        unknown = [name for name in names if name not in KINDS]
        unknown += [repr(text) for text in texts if not text.replace(",", " ").split()]
        if unknown:
            raise LabKindError(f"--as {unknown[0]}: expected one or several of {', '.join(KINDS)}")
        by_default = cls()
        return cls(
            tuple(name for name in names if name in PLUG_KINDS) or by_default.plugs,
            tuple(name for name in names if name in INVERTER_KINDS) or by_default.inverters,
        )


@dataclass(frozen=True, slots=True)
class PlugControl:
    """How to switch a plug: the topic and the payloads that a controller publishes."""

    kind: str
    """Make of the plug: `tasmota`, `shelly` or `zigbee2mqtt`."""
    topic: str
    """Where to publish a command."""
    on: str
    """The payload that switches it on."""
    off: str
    """The payload that switches it off."""


class EmulatedDevices:
    """The emulated devices of a scenario."""

    def __init__(self, scenario: Scenario, kinds: DeviceKinds, end_s: int, report_s: int = DEFAULT_REPORT_S) -> None:
        """Create the devices; all plugs are off, except those of devices that are not controllable.

        Args:
            scenario: The neighbourhood.
            kinds: As what its devices are emulated.
            end_s: Latest end of the lab, UNIX seconds.
            report_s: How often devices report, seconds of virtual time.
        """
        self.scenario = scenario
        self.plugs: dict[str, Plug] = {}
        """By `house/device`, as the next ones."""
        self.inverters: dict[str, EmulatedInverter] = {}
        self.meters: dict[str, GridMeter] = {}
        """By `house/meter`."""
        self.controls: dict[str, PlugControl] = {}
        self.fixed: set[str] = set()
        """`house/device` of the plugs that are always on."""
        self.devices: list[EmulatedDevice] = []
        jobs: dict[tuple[str, str], list[Job]] = defaultdict(list)
        for job in scenario.jobs:
            jobs[job.house, job.device].append(job)
        bridge_plugs: list[Plug] = []
        gateways: dict[str, list[EmulatedInverter]] = {"opendtu": [], "ahoydtu": []}
        start_s, zone = scenario.start_s, scenario.zone
        for place, house in enumerate(scenario.houses):
            plug_kind = kinds.plugs[place % len(kinds.plugs)]
            plugs = [self._plug(house, d, jobs[house.id, d.id]) for d in house.devices if d.type == "consumer"]
            inverters = [self._inverter(house, d, end_s) for d in house.devices if d.type == "producer"]
            gateways[kinds.inverters[place % len(kinds.inverters)]] += inverters
            base_load = scenario.base_loads.get(house.id)
            meter = GridMeter(house.id, [plug.appliance for plug in plugs], inverters, start_s, base_load)
            self.meters[meter.key] = meter
            if plug_kind == "tasmota":
                self.devices += [TasmotaPlug(plug, tele_period_s=report_s) for plug in plugs]
                self.devices.append(TasmotaMeter(meter, start_s, zone, tele_period_s=report_s))
            else:
                self.devices.append(ShellyMeter(meter, start_s, zone, period_s=report_s))
            if plug_kind == "shelly":
                self.devices += [ShellyPlug(plug, period_s=report_s) for plug in plugs]
            elif plug_kind == "zigbee2mqtt":
                bridge_plugs += plugs
        if bridge_plugs:
            self.devices.append(Zigbee2MqttBridge("zigbee2mqtt", bridge_plugs, start_s, period_s=report_s))
        if gateways["opendtu"]:
            self.devices.append(OpenDtu("solar", gateways["opendtu"], start_s, period_s=report_s))
        if gateways["ahoydtu"]:
            self.devices.append(AhoyDtu("inverter", gateways["ahoydtu"], start_s, period_s=report_s))
        for device in self.devices:
            self._remember_controls(device)

    def _plug(self, house: House, device: Device, jobs: Sequence[Job]) -> Plug:
        scenario = self.scenario
        appliance = EmulatedAppliance(jobs, scenario.start_s)
        name = " ".join((house.name or house.id, device.name or device.id))
        plug = Plug(house, device.id, name, appliance, scenario.start_s, scenario.zone)
        self.plugs[plug.key] = plug
        if jobs and all(job.latest_start_s - job.earliest_start_s < FIXED_WINDOW_S for job in jobs):
            self.fixed.add(plug.key)
            plug.switch(scenario.start_s, on=True, by="itself")
        return plug

    def _inverter(self, house: House, device: Device, end_s: int) -> EmulatedInverter:
        scenario = self.scenario
        name = device.name or device.id
        span_s = (scenario.start_s, end_s)
        inverter = EmulatedInverter(house.id, device.id, name, scenario.producers[device.id], span_s, scenario.zone)
        self.inverters[inverter.key] = inverter
        return inverter

    def _remember_controls(self, device: EmulatedDevice) -> None:
        if isinstance(device, TasmotaPlug):
            self.controls[device.plug.key] = PlugControl("tasmota", f"cmnd/{device.topic}/POWER", "ON", "OFF")
        elif isinstance(device, ShellyPlug):
            topic = f"{device.device_id}/command/switch:0"
            self.controls[device.plug.key] = PlugControl("shelly", topic, "on", "off")
        elif isinstance(device, Zigbee2MqttBridge):
            for key, name in device.names().items():
                topic = f"{device.base}/{name}/set"
                self.controls[key] = PlugControl("zigbee2mqtt", topic, '{"state":"ON"}', '{"state":"OFF"}')
