"""A producer: knows its forecasts, and whether it takes part.

Its `ProducerSupply` decides on jobs and keeps the promises: `WholeProducerSupply`, where one producer supplies a whole
job, or `SharedProducerSupply` of `agents.sharing`.

Of a forecast and the requests that arrive at the same moment, the forecast comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from agents.energy import CumulativeSeries, Outlook, Prediction
from agents.expected_production import ExpectedProduction, ProductionCounter
from agents.messages import (
    AnyMessage,
    ChangeAlgorithm,
    Join,
    Leave,
    NewForecast,
    ProducerJoined,
    ProducerLeft,
    ProductionChanged,
)
from agents.model import MANAGER, TIMELINE
from agents.ranking import RANKED, NegotiationSettings
from agents.scheduling import AlgorithmSettings
from broker.hosts import Agent, Received


class ProducerSupply(Protocol):
    """How a producer gives its production to jobs: to whole ones, or in shares (`agents.sharing.SharedProducerSupply`).

    The producer tells it what happens; it makes, keeps and withdraws the promises, and reports them to the manager.
    """

    @property
    def promised_s(self) -> Mapping[str, int]:
        """See `Producer.promised_s`."""
        ...

    def begin_round(self) -> None:
        """Called before the messages of a round."""
        ...

    async def take(self, received: Received[AnyMessage]) -> bool:
        """Take a message about jobs; return False if it is not one."""
        ...

    def end_round(self) -> None:
        """Called after the messages of a round."""
        ...

    def change_algorithm(self, algorithm: AlgorithmSettings) -> None:
        """Decide by another algorithm from now on."""
        ...

    def promise_late(self) -> None:
        """See `Producer.promise_late`."""
        ...

    def learn(self, production: Outlook) -> None:
        """Note what is expected from now on, even while the producer takes no part."""
        ...

    def follow_forecast(self) -> None:
        """Keep as many promises as a new forecast allows."""
        ...

    def introduce(self) -> None:
        """Tell the manager what there is to give: the producer has just joined."""
        ...

    def stop(self, reason: str) -> None:
        """Take back the promises for jobs that have not started: the producer leaves."""
        ...

    def resume(self) -> None:
        """Called when the producer has come back."""
        ...

    def forget_consumers(self, consumers: frozenset[str]) -> None:
        """Forget the jobs of lost consumers, except running ones."""
        ...


class Producer(Agent[AnyMessage]):
    """The agent of one producer device: knows its forecasts, and whether it takes part; its `supply` does the rest."""

    def __init__(
        self,
        agent_id: str,
        predictions: Sequence[Prediction],
        supply: MakeProducerSupply,
        *,
        is_there: bool = True,
        own_use: CumulativeSeries | None = None,
        counter: ProductionCounter | None = None,
    ) -> None:
        """Create a producer.

        Args:
            agent_id: The device's id.
            predictions: Forecasts in the order of issue; the producer joins the neighbourhood with the first one.
            supply: Makes what gives its production to jobs.
            is_there: Whether it takes part from the start; otherwise it waits for `Join`.
            own_use: The part of its house's base load that it serves before anything else, at UNIX seconds, so that it
                promises only what it expects to have left; None: none.
            counter: The counter by which it corrects its forecasts; None: forecasts are used as issued.
        """
        super().__init__(agent_id)
        self.expects = ExpectedProduction(predictions, own_use, counter)
        self.is_there = is_there
        """Whether it takes part at present."""
        self.negotiating = NegotiationSettings(RANKED)
        """How jobs find a supplier; may be replaced before the run."""
        self.supply = supply(self)

    def promise_late(self) -> None:
        """Make promises provisional until shortly before the start; the scheduler may push jobs out until then."""
        self.supply.promise_late()

    @property
    def promised_s(self) -> Mapping[str, int]:
        """By job id, the start of each job that it supplies or has supplied, UNIX seconds: its side of the ledger."""
        return self.supply.promised_s

    async def run(self) -> None:
        """Process forecasts when they are issued, and messages when they arrive."""
        expects, supply = self.expects, self.supply
        while True:
            # The counter is compared with the old forecast, which was in force during the past hours.
            corrected = expects.read_counter(self.now_s, is_there=self.is_there)
            if corrected is not None and not expects.is_due(self.now_s):
                self.adopt(Prediction(issued_s=self.now_s, production=corrected))
            while expects.is_due(self.now_s):
                self._take_forecast(expects.take_due())
            supply.begin_round()
            batch = await self.receive_round(until_s=expects.next_timer_s)
            # A change by the timeline takes effect before any request, as does a forecast of the same moment.
            for received in sorted(batch, key=lambda received: received.sender != TIMELINE):
                if received.sender == TIMELINE:
                    self._obey(received)
                elif not await supply.take(received):
                    self.take_other(received)
            supply.end_round()

    def take_other(self, received: Received[AnyMessage]) -> None:
        """Take a message that is not about jobs; a subclass that expects such messages overrides this."""
        kind = received.message.kind
        self.reject(received.sender, f"sends {kind}, which a producer does not accept from it")

    def _obey(self, received: Received[AnyMessage]) -> None:
        """Carry out an event of the scenario's timeline."""
        match received.message:
            case NewForecast(production=production, replaces_later=replaces_later):
                if replaces_later:
                    self.expects.discard_later()
                self._take_forecast(Prediction(issued_s=self.now_s, production=production))
            case ProductionChanged(event=event):
                try:
                    self.expects.follow(event, self.now_s)
                except ValueError as error:
                    self.reject(
                        received.sender, f"sends a change of production that this producer cannot have: {error}"
                    )
            case ChangeAlgorithm(algorithm=algorithm):
                self.supply.change_algorithm(algorithm)
            case Leave(reason=reason):
                self._leave(reason)
            case Join():
                self._join()
            case message:
                self.reject(received.sender, f"sends {message.kind}, which is not for a producer")

    def on_lost(self, agents: frozenset[str]) -> None:
        """Forget the jobs of lost consumers, except running ones."""
        self.supply.forget_consumers(agents)

    # Forecasts.

    def _take_forecast(self, issued: Prediction) -> None:
        """Adopt a new forecast, corrected if this producer corrects its forecasts."""
        self.adopt(self.expects.corrected(issued, self.now_s))

    def adopt(self, prediction: Prediction) -> None:
        """Expect what a forecast says from now on; a subclass that knows better changes the forecast first."""
        joins = self.expects.outlook is None
        prediction = self.expects.adopt(prediction, self.now_s)
        assert self.expects.outlook is not None  # noqa: S101 - it has just adopted one
        self.supply.learn(self.expects.outlook)
        if not self.is_there:
            return
        self._publish_forecast(prediction)
        if joins:
            self._join_manager()
        else:
            self.supply.follow_forecast()

    def _publish_forecast(self, prediction: Prediction) -> None:
        sent = prediction.model_copy(update={"production": prediction.production.as_sent})
        self.publish(self.id, sent, "forecast")

    # Leaving and joining.

    def _leave(self, reason: str) -> None:
        """Cancel all promises for jobs that have not started, and take no part until `_join`."""
        if not self.is_there:
            return
        self.is_there = False
        self.supply.stop(reason)
        if self.expects.outlook is not None:
            self.send(MANAGER, ProducerLeft(producer=self.id))

    def _join(self) -> None:
        if not self.is_there:
            self.is_there = True
            self.expects.start_over(self.now_s)
            if self.expects.newest is not None:
                self._publish_forecast(self.expects.newest)
                self._join_manager()
        self.supply.resume()

    def _join_manager(self) -> None:
        self.send(MANAGER, ProducerJoined(producer=self.id))
        self.supply.introduce()


MakeProducerSupply = Callable[[Producer], ProducerSupply]
"""Makes the supply of the producer that it is given."""
