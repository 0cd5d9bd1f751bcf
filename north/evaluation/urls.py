from django.urls import path

from north.evaluation.views import marking, quality, questions

app_name = "evaluation"
urlpatterns = [
    path("w/<slug:slug>/quality", quality.quality, name="quality"),
    path("w/<slug:slug>/quality/begin", quality.begin, name="begin"),
    path("w/<slug:slug>/quality/weights/reset", quality.reset, name="reset"),
    path("w/<slug:slug>/quality/mark", marking.mark, name="mark"),
    path("w/<slug:slug>/quality/questions", questions.questions, name="questions"),
    path("w/<slug:slug>/quality/questions.jsonl", questions.export, name="export"),
    path("w/<slug:slug>/quality/questions/import", questions.take_in, name="import"),
    path("w/<slug:slug>/quality/questions/new", questions.new, name="new"),
    path("w/<slug:slug>/quality/questions/<uuid:question>/reword", questions.reword, name="reword"),
    path("w/<slug:slug>/quality/questions/<uuid:question>/remove", questions.remove, name="remove"),
    path("w/<slug:slug>/quality/questions/<uuid:question>/answers/<uuid:document>/remove", questions.take_back, name="take_back"),
    path("w/<slug:slug>/quality/<uuid:measurement>", quality.measurement, name="measurement"),
    path("w/<slug:slug>/quality/<uuid:measurement>/stop", quality.stop, name="stop"),
    path("w/<slug:slug>/quality/<uuid:measurement>/use", quality.use, name="use"),
]
